"""Times in which a run did not go on, as its watchdog found them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis.words import duration
from ocr_otel.runs import Run
from ocr_otel.runs.model import LogEvent, finite

MAX_HANGS: Final = 5
"""Hangs that a report shows: the last ones."""


@dataclass(frozen=True, slots=True)
class HangRow:
    """A hang.

    Attributes:
        at: When it was found, seconds after the beginning of the run.
        rank: Whose it is.
        section: What the training was doing.
        seconds: How long nothing had gone on then.
        line: Where its main thread stood; empty where unknown.
        stacks: Stacks of its processes; empty where they could not be had.
    """

    at: float
    rank: int
    section: str
    seconds: float
    line: str
    stacks: str

    @property
    def sentence(self) -> str:
        """Say it in one sentence, without its full stop."""
        where = f", at {self.line}" if self.line else ""
        return f"Nothing went on for {duration(self.seconds)} in {self.section or 'the training'}{where}"


def hangs(run: Run, began: int) -> list[HangRow]:
    """Return the hangs of all ranks, in order of time.

    Args:
        run: The run.
        began: Its beginning, Unix nanoseconds.
    """
    return [_row(event, began) for event in run.events if event.name == semconv.HANG_EVENT]


def _row(event: LogEvent, began: int) -> HangRow:
    def text(name: str) -> str:
        value = event.attributes.get(name)
        return value if isinstance(value, str) else ""

    return HangRow(
        at=(event.time - began) / 1e9,
        rank=event.rank,
        section=text(semconv.SECTION),
        seconds=finite(event.attributes.get(semconv.HANG_DURATION)),
        line=text(semconv.HANG_LINE),
        stacks=text(semconv.HANG_STACKS),
    )
