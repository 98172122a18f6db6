"""The record of the batch that runs now, and the prebuilt contexts that write into it.

Every context takes its own time alone: what a nested context took is subtracted, so that phases add up without
overlap however Lightning nests its calls (forward and backward run inside the optimiser's closure).
"""

from __future__ import annotations

from time import perf_counter_ns
from types import TracebackType
from typing import Final

FETCH: Final = 0
TRANSFER: Final = 1
FORWARD: Final = 2
BACKWARD: Final = 3
OPTIMIZER: Final = 4
CALLBACKS: Final = 5
CHECKPOINT: Final = 6
CODES: Final = 7
"""Number of codes. Lightning's own loop has none: it is what the others leave of the batch's duration."""

MAX_INTERVALS: Final = 48
"""Intervals kept of one batch; a batch with more (many manual optimiser steps) keeps its times, not all its spans."""


class BatchClock:
    """Times of the batch that runs now.

    Attributes:
        exclusive: Nanoseconds by code.
        nested: Nanoseconds taken by contexts inside the one that is open.
        intervals: Triples of code, start and end, flat and preallocated.
        used: How much of `intervals` is used.
    """

    __slots__ = ("exclusive", "intervals", "nested", "used")

    def __init__(self) -> None:
        self.exclusive = [0] * CODES
        self.nested = 0
        self.intervals = [0] * (3 * MAX_INTERVALS)
        self.used = 0

    def reset(self) -> None:
        """Begin a batch."""
        self.exclusive[:] = _ZEROS
        self.used = 0


_ZEROS: Final = (0,) * CODES


class NullContext:
    """For what is not measured apart: it belongs to the context around it, or to Lightning's loop."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class _TimedContext:
    """What the contexts share: the beginning."""

    __slots__ = ("_clock", "_code", "_outer", "_start")

    def __init__(self, clock: BatchClock, code: int) -> None:
        self._clock = clock
        self._code = code
        self._start = 0
        self._outer = 0

    def __enter__(self) -> None:
        clock = self._clock
        self._outer = clock.nested
        clock.nested = 0
        self._start = perf_counter_ns()


class HookContext(_TimedContext):
    """Adds its own time to a code and to its own total.

    Attributes:
        name: What is measured, for people.
        total: Nanoseconds since the total was last taken.
    """

    __slots__ = ("name", "total")

    def __init__(self, clock: BatchClock, code: int, name: str) -> None:
        super().__init__(clock, code)
        self.name = name
        self.total = 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        clock = self._clock
        took = perf_counter_ns() - self._start
        own = took - clock.nested
        clock.exclusive[self._code] += own
        self.total += own
        clock.nested = self._outer + took


class PhaseContext(_TimedContext):
    """Adds its own time to a code and keeps its interval for a span."""

    __slots__ = ()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        clock = self._clock
        end = perf_counter_ns()
        took = end - self._start
        clock.exclusive[self._code] += took - clock.nested
        clock.nested = self._outer + took
        used = clock.used
        if used < 3 * MAX_INTERVALS:
            intervals = clock.intervals
            intervals[used] = self._code
            intervals[used + 1] = self._start
            intervals[used + 2] = end
            clock.used = used + 3
