"""What the batch path asks of whoever wants to know of batches that end, such as the profiler's windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ocr_otel.recording.loop import Loop


class BatchWatcher(Protocol):
    """Told at the ends of some batches, in the training thread, and of the durations of all, in any. No method raises.

    Times are monotonic nanoseconds.

    Attributes:
        due_idx: Index of the next batch of the loop at whose end it is to be told; it is told of others too.
        profiling: Whether the next batch is recorded by a profiler, and so to be kept.
    """

    due_idx: int
    profiling: bool

    def loop_entered(self, loop: Loop, batch_idx: int) -> None:
        """A loop begins, or goes on after its batch `batch_idx`; -1 where it begins."""

    def loop_left(self, loop: Loop, batch_idx: int, over: bool) -> None:
        """A loop is interrupted, or over, after its batch `batch_idx`."""

    def batch_ended(self, loop: Loop, batch_idx: int, began: int, now: int) -> None:
        """A batch of the loop is over."""

    def batches_done(self, loop: Loop, durations: Sequence[int]) -> None:
        """Further batches of the loop were counted; called in any thread."""
