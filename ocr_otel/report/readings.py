"""What a report shows of the machine, in plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True, slots=True)
class Fact:
    """An attribute of a span as people read it: what it is, its value with its unit, and what it means."""

    name: str
    value: str
    meaning: str


class Kind(IntEnum):
    """What a line is to the others of its plot; the page's script draws each in its own way."""

    USUAL = 0
    LIMIT = 1
    """The most that the others can reach."""
    PEAK = 2
    """The highest sample, where the usual line is the mean of many."""


@dataclass(frozen=True, slots=True)
class Line:
    """A series of readings.

    Attributes:
        name: What tells it from the others of its plot: device, worker, direction.
        metric: Where it comes from.
        kind: What it is to the others of its plot.
        mean: Of all its readings, as `low`, `high` and `last`.
        low: Lowest.
        high: Highest.
        last: Latest.
        values: One for each of `Resources.times`, None where there was none.
    """

    name: str
    metric: str
    kind: Kind
    mean: float
    low: float
    high: float
    last: float
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Plot:
    """Readings of one kind over the time of the run.

    Attributes:
        group: Heading that it stands under.
        title: What it shows.
        unit: UCUM unit.
        lines: Its series.
        left_out: Number of series that are not among them.
        brief: What it is called where there is room for little; empty for what is left out there.
    """

    group: str
    title: str
    unit: str
    lines: list[Line]
    left_out: int
    brief: str


@dataclass(frozen=True, slots=True)
class Column:
    """A numeric attribute as a column: its short name, its meaning, and its UCUM unit."""

    name: str
    meaning: str
    unit: str


@dataclass(frozen=True, slots=True)
class Resources:
    """What the machine did over the run, of the first rank.

    Attributes:
        times: When something was read, seconds from the beginning of the run; thinned where there are very many.
        interval: Seconds between exports.
        plots: What was read, group by group.
        sentences: What is not drawn, and why.
        out_of_memory: What held the memory when it ran out; empty where it did not.
        growth: How memory grew, in one sentence; empty where that was not recorded.
        columns: What the columns of the epochs' summaries are, by attribute; those that are zero in all are left out.
    """

    times: list[float]
    interval: float
    plots: list[Plot]
    sentences: list[str]
    out_of_memory: list[Fact]
    growth: str
    columns: dict[str, Column]
