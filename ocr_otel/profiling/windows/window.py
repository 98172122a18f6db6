"""A window while it is open: the profiler, the ranges of its batches, and what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from opentelemetry.trace import Span, SpanContext

from ocr_otel import semconv
from ocr_otel.profiling.windows.torch_profiler import TorchWindow, named_range
from ocr_otel.semconv import ProfileMode


class OpenWindow:
    """Drives one window from batch to batch; times are monotonic nanoseconds.

    Args:
        mode: Why it opened.
        name: Its name, and that of its files.
        profiler: Records.
        warmup: Batches in which it only warms up.
        batches: Batches to record.
        span: Its span.

    Attributes:
        recorded: Batches recorded so far.
        durations: How long they took.
        first_idx: Index of the first of them; None before.
        links: Contexts of their root spans.
        stalled: How long the training stood still for it.
    """

    def __init__(
        self, mode: ProfileMode, name: str, profiler: TorchWindow, warmup: int, batches: int, span: Span
    ) -> None:
        self.mode = mode
        self.name = name
        self.batches = batches
        self.span = span
        self.durations: list[int] = []
        self.first_idx: int | None = None
        self.links: list[SpanContext] = []
        self.stalled: int = 0
        self._profiler = profiler
        self._left_to_warm = warmup
        self._range: AbstractContextManager[Any] | None = None

    @property
    def recorded(self) -> int:
        """Batches recorded so far."""
        return len(self.durations)

    @property
    def recording(self) -> bool:
        """Whether the batch that comes next is recorded."""
        return self._left_to_warm == 0

    @property
    def full(self) -> bool:
        """Whether all batches are recorded."""
        return self.recorded >= self.batches

    def start(self, epoch: int, next_idx: int) -> None:
        """Begin, before the batch `next_idx`."""
        self._timed(self._profiler.start)
        self._enter(epoch, next_idx)

    def batch_ended(self, epoch: int, batch_idx: int, duration: int, context: SpanContext) -> None:
        """A batch is over."""
        self._leave()
        if self.recording:
            if self.first_idx is None:
                self.first_idx = batch_idx
            self.durations.append(duration)
            self.links.append(context)
        else:
            self._left_to_warm -= 1
        # The last one's step would end the trace, and what is still open in it has to end before; see `TorchWindow`.
        if not self.full:
            self._timed(self._profiler.step)
            self._enter(epoch, batch_idx + 1)

    def stop(self) -> None:
        """End."""
        self._leave()
        self._timed(self._profiler.stop)

    def save(self, path: Path) -> None:
        """Write the trace; see `TorchWindow.save`."""
        self._profiler.save(path)

    def _timed(self, action: Callable[[], None]) -> None:
        before = perf_counter_ns()
        try:
            action()
        finally:
            self.stalled += perf_counter_ns() - before

    def _enter(self, epoch: int, batch_idx: int) -> None:
        self._range = named_range(f"{semconv.TRAIN_BATCH} epoch={epoch} batch={batch_idx}")
        self._range.__enter__()

    def _leave(self) -> None:
        if self._range is not None:
            self._range.__exit__(None, None, None)
            self._range = None
