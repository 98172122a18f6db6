"""How long the phases of a kept batch took on the device, by events in its stream, read later and never waited for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Protocol, TypeVar

from ocr_otel.recording import journal
from ocr_otel.recording.decoding import decode
from ocr_otel.recording.journal import EXIT, Journal, TimedContext

PHASES: Final = (journal.TRANSFER, journal.FORWARD, journal.BACKWARD, journal.COMMUNICATION, journal.OPTIMIZER)
"""Parts of a batch that put work on the device."""

Self = TypeVar("Self")


class DeviceEvent(Protocol):
    """A point in a device's stream, as `torch.cuda.Event` and `torch.xpu.Event` with timing are."""

    def record(self) -> None:
        """Put it behind what the stream holds now."""

    def query(self) -> bool:
        """Return whether the device has come past it."""

    def elapsed_time(self: Self, later: Self, /) -> float:
        """Return the milliseconds from it to a later one, both passed."""


Mark = tuple[int, DeviceEvent]
"""A context's code, with `EXIT` added where it ends, and the event recorded then."""


class Marks:
    """The marks of the batch that runs, where it is kept.

    Args:
        make: Makes an event.

    Attributes:
        current: They; None while a batch runs that is not kept.
    """

    __slots__ = ("_make", "current")

    def __init__(self, make: Callable[[], DeviceEvent]) -> None:
        self._make = make
        self.current: list[Mark] | None = None

    def add(self, code: int) -> None:
        """Record an event, where the batch is kept."""
        marks = self.current
        if marks is not None:
            event = self._make()
            event.record()
            marks.append((code, event))

    def take(self) -> tuple[Mark, ...]:
        """Return the marks of the batch that ends."""
        marks, self.current = self.current, None
        return tuple(marks or ())


class DeviceContext(TimedContext):
    """A phase of which the time on the device is measured too, where its batch is kept.

    Args:
        journal: Where the host's times go.
        part: The part of the batch that it is.
        name: What is measured, for people.
        marks: Where the events go.
    """

    __slots__ = ("_marks",)

    def __init__(self, journal: Journal, part: int, name: str, marks: Marks) -> None:
        super().__init__(journal, part, name)
        self._marks = marks

    def __enter__(self) -> None:
        super().__enter__()
        self._marks.add(self._enter)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._marks.add(self._exit)
        super().__exit__(kind, error, trace)


def passed(marks: Sequence[Mark]) -> bool:
    """Return whether the device has come past all of them."""
    return not marks or marks[-1][1].query()


def seconds_by_part(source: Journal, marks: Sequence[Mark]) -> dict[int, float]:
    """Return the seconds that each part took on the device; nothing where the device has not come past all marks.

    What runs inside another, such as forward and backward inside the optimiser's closure, is its own and not the
    other's.

    Args:
        source: The journal that the contexts' codes are of.
        marks: The marks of a batch.
    """
    if not marks or not passed(marks):
        return {}
    first = marks[0][1]
    times = [0, *(round(first.elapsed_time(event) * 1e6) for _, event in marks[1:])]
    row = decode(source, [journal.ROW, *(code for code, _ in marks)], [0, *times], times[-1])
    measured = {source.parts[code & ~EXIT] for code, _ in marks}
    return {part: row.parts[part] / 1e9 for part in PHASES if part in measured}
