"""The journal: what runs on the batch path writes a time and a code where it begins and ends, and nothing else.

Between two batches the training step has emptied the processor's caches, so that on the batch path every object that
is touched and every line of Python costs several times what it costs in a loop. So nothing is added up there: the
journal is read later, for many batches at once (`rows`), or for one batch that is kept (`current`).
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Sequence
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
COMMUNICATION: Final = 7
PARTS: Final = 8
"""Number of parts that contexts measure. Lightning's own loop has none: it is what they leave of a batch."""
NO_PART: Final = PARTS

ROW_FETCH: Final = 0
"""A row begins, with the wait for a batch's data."""
ROW: Final = 1
"""A row begins with nothing: what comes is no batch, or one whose data is fetched inside its step."""
BATCH: Final = 2
"""The row is a batch: it is on its device. Its samples are those that its dataloader was asked for."""
COUNTED: Final = 3
"""As `BATCH`, and its samples are the next in `Journal.samples`."""
UNKNOWN_SAMPLES: Final = -1
"""In `Journal.samples`, for a batch whose form does not tell them: they are those of its dataloader after all."""
FIRST_CONTEXT: Final = 4
EXIT: Final = 0x8000
"""Added to a context's code where it ends."""

Timing = tuple[int, int, int, int, int, int, int | None, int | None, int]
"""What a dataloader did to make one batch: the fields of a `WorkerTiming`; most batches never need the names."""
_SAMPLES: Final = 5


def samples_of(group: Sequence[Timing]) -> int:
    """Return the samples that a batch's dataloader put into it."""
    samples = 0
    for timing in group:
        samples += timing[_SAMPLES]
    return samples


class Journal:
    """Times and codes in the order in which they happened; one thread writes, and any may take what is complete.

    Attributes:
        times: Monotonic nanoseconds.
        codes: What happened then: one of the codes above, a context's code, or that with `EXIT` added.
        samples: Samples of batches marked `COUNTED`, or `UNKNOWN_SAMPLES`.
        parts: Part by code.
        names: Name by code; empty for what becomes a span of its own.
        arrived: What dataloaders did, in the order of batches; None after what one fetch brought.
        lock: Held by who reads.
    """

    __slots__ = ("arrived", "codes", "lock", "names", "parts", "samples", "times")

    def __init__(self) -> None:
        self.arrived: list[Timing | None] = []
        self.lock: threading.Lock = threading.Lock()
        self.times: array[int] = array("q")
        self.codes: array[int] = array("H")
        self.samples: array[int] = array("q")
        self.parts: list[int] = [FETCH] + [NO_PART] * (FIRST_CONTEXT - 1)
        self.names: list[str] = [""] * FIRST_CONTEXT

    def identify(self, part: int, name: str) -> int:
        """Return a new context's code."""
        self.parts.append(part)
        self.names.append(name)
        return len(self.parts) - 1

    def forget(self) -> None:
        """Begin anew, without any context."""
        with self.lock:
            del self.samples[:], self.codes[:], self.times[:]
            self.arrived.clear()
            del self.parts[FIRST_CONTEXT:], self.names[FIRST_CONTEXT:]

    def write(self, now: int, code: int) -> None:
        """Write that something happened; the time goes first, for a reader takes what has a code."""
        self.times.append(now)
        self.codes.append(code)

    def row_began(self) -> int:
        """Return when the row that runs began; to be called by the thread that writes."""
        # From the end: what another thread takes meanwhile is complete rows at the beginning.
        codes = self.codes
        at = 1
        while codes[-at] > ROW:
            at += 1
        return self.times[-at]

    def cut(self, events: int, batches: int) -> list[list[Timing]]:
        """Remove the first so many events and what dataloaders did for the first so many batches, and return that.

        To be called with the lock held. Where it is not known what dataloaders did, fewer are returned.
        """
        del self.codes[:events], self.times[:events]
        groups, end = _groups(self.arrived, batches)
        del self.arrived[:end]
        return groups

    def set_aside(self) -> list[Timing | None]:
        """Remove and return what dataloaders did for batches that have not come yet."""
        return self.bring_back([])

    def bring_back(self, arrived: list[Timing | None]) -> list[Timing | None]:
        """Put what was set aside in the place of what has arrived since, and return that.

        To be called when all complete rows are taken. The list itself stays: dataloaders and contexts hold it.
        """
        with self.lock:
            before = self.arrived[:]
            self.arrived[:] = arrived
        return before


class TimedContext:
    """Writes its beginning and its end.

    Args:
        journal: Where to.
        part: The part of the batch that it is.
        name: What is measured, for people; empty for what becomes a span of its own.
    """

    __slots__ = ("_code", "_enter", "_exit", "_time")

    def __init__(self, journal: Journal, part: int, name: str = "") -> None:
        self._enter = journal.identify(part, name)
        self._exit = self._enter | EXIT
        self._time = journal.times.append
        self._code = journal.codes.append

    @property
    def code(self) -> int:
        """Its code in the journal."""
        return self._enter

    def __enter__(self) -> None:
        self._time(perf_counter_ns())
        self._code(self._enter)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._time(perf_counter_ns())
        self._code(self._exit)


class NullContext:
    """For what is not measured apart: it belongs to the context around it, or to Lightning's loop."""

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


def _groups(stream: list[Timing | None], number: int) -> tuple[list[list[Timing]], int]:
    """Return at most so many groups of a stream in which None ends each, and where they end; empty ones are none."""
    usual = stream[: 2 * number]
    if len(usual) == 2 * number and usual[1::2].count(None) == number and None not in usual[::2]:
        # One dataloader, and no data fetched ahead: a third of the time for the many batches of a drain.
        return [[timing] for timing in usual[::2] if timing is not None], 2 * number
    groups: list[list[Timing]] = []
    group: list[Timing] = []
    end = 0
    for at, item in enumerate(stream):
        if len(groups) == number:
            break
        if item is not None:
            group.append(item)
            continue
        end = at + 1
        if group:
            groups.append(group)
            group = []
    return groups, end
