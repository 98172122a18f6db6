"""The training batch that runs: read where Lightning keeps it, without a hook of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocr_otel.training.batch_size import find_batch_size, find_combined_size


class TrainBatch:
    """The training batch that runs.

    Args:
        trainer: The Trainer.
        batch_size: Returns how many samples a batch holds; None where that is not known.
    """

    def __init__(self, trainer: Any, batch_size: Callable[[Any], int | None]) -> None:
        self._fit_loop = trainer.fit_loop
        self._epoch_loop = trainer.fit_loop.epoch_loop
        self._batch_size = batch_size

    def index(self) -> int:
        """Return Lightning's `batch_idx`."""
        return int(self._epoch_loop.batch_progress.current.ready) - 1

    def samples(self) -> int | None:
        """Return how many samples it holds; None where that is not known."""
        # What Lightning itself takes the batch size for `self.log` from.
        batch = self._epoch_loop._results.batch
        if self._batch_size is not find_batch_size:
            return self._batch_size(batch)
        return find_combined_size(self._fit_loop._combined_loader.iterables, batch)
