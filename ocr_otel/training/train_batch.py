"""The training batch that runs: read where Lightning keeps it, without a hook of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class TrainBatch:
    """The training batch that runs.

    Args:
        trainer: The Trainer.
        batch_size: Returns how many samples a batch holds.
    """

    def __init__(self, trainer: Any, batch_size: Callable[[Any], int]) -> None:
        self._epoch_loop = trainer.fit_loop.epoch_loop
        self._batch_size = batch_size

    def index(self) -> int:
        """Return Lightning's `batch_idx`."""
        return int(self._epoch_loop.batch_progress.current.ready) - 1

    def samples(self) -> int:
        """Return how many samples it holds."""
        # What Lightning itself takes the batch size for `self.log` from.
        return self._batch_size(self._epoch_loop._results.batch)
