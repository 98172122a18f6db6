"""The parts of a batch as named ranges in the profiler's trace, while a window is open."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.profiling.windows.torch_profiler import named_range
from ocr_otel.recording import journal
from ocr_otel.recording.journal import Journal, TimedContext

_NAMES: Final = {
    journal.FETCH: semconv.FETCH,
    journal.TRANSFER: semconv.TRANSFER,
    journal.FORWARD: semconv.FORWARD,
    journal.BACKWARD: semconv.BACKWARD,
    journal.OPTIMIZER: semconv.OPTIMIZER_STEP,
    journal.CALLBACKS: semconv.CALLBACKS_RANGE,
    journal.CHECKPOINT: semconv.CHECKPOINT_SAVE,
}


class RangeContext:
    """A context that is also a range in the trace.

    Args:
        inner: The context.
        name: The range's name.
    """

    __slots__ = ("_inner", "_name", "_open")

    def __init__(self, inner: AbstractContextManager[None], name: str) -> None:
        self._inner = inner
        self._name = name
        self._open: list[Any] = []

    def __enter__(self) -> None:
        # The inner one first: where it ends a batch, that batch's range ends before this one begins.
        self._inner.__enter__()
        try:
            opened = named_range(self._name)
            opened.__enter__()
        except Exception:
            # The trace lacks this range.
            return
        self._open.append(opened)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An action that began before the window has no range to end, nor one that the window's end has ended.
        if self._open:
            self._open.pop().__exit__(None, None, None)
        self._inner.__exit__(kind, error, trace)

    def end_range(self) -> None:
        """End the range, not the context: the window is about to end, and no range may outlive it."""
        while self._open:
            self._open.pop().__exit__(None, None, None)


def ranged(context: AbstractContextManager[None], known: Journal) -> AbstractContextManager[None]:
    """Return a context as a range, where it measures a part of a batch; else as it is.

    Args:
        context: The context.
        known: The journal that it writes to.
    """
    if not isinstance(context, TimedContext):
        return context
    part, name = known.parts[context.code], known.names[context.code]
    return RangeContext(context, f"{_NAMES[part]}:{name}" if part == journal.CALLBACKS else _NAMES[part])
