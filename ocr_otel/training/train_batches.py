"""Which training batch runs, and how many samples it holds: read where Lightning keeps it, without a hook of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocr_otel.recording import BatchPath


def train_batches(trainer: Any, path: BatchPath, batch_size: Callable[[Any], int]) -> Callable[[], None]:
    """Return a function that tells the batch path of the batch whose step is about to run.

    Args:
        trainer: The Trainer.
        path: The batch path.
        batch_size: Returns how many samples a batch holds.
    """
    epoch_loop = trainer.fit_loop.epoch_loop

    def begins() -> None:
        # `_results.batch` is what Lightning itself takes the batch size for `self.log` from. There is none
        # where the module takes the iterator itself.
        batch = epoch_loop._results.batch
        samples = 0 if batch is None else batch_size(batch)
        path.batch_begins(epoch_loop.batch_progress.current.ready - 1, None, samples)

    return begins
