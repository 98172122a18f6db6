"""What a comparison shows, in plain data. Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ocr_otel.comparison.steps import Steps
from ocr_otel.report.data import ReportData


class Outcome(StrEnum):
    """What is said of the second run's batch time."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "no change found"
    UNKNOWN = "too few batches"


@dataclass(frozen=True, slots=True)
class Estimate:
    """How a statistic changed.

    Attributes:
        base: Its value in the first series.
        other: Its value in the second one.
        change: The ratio of the two, or their difference.
        low: Lower bound of the change.
        high: Upper bound.
        p: Probability of such a change, or a larger one, where there is none.
    """

    base: float
    other: float
    change: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A run: what its report shows, and its step times."""

    data: ReportData
    steps: Steps


@dataclass(frozen=True, slots=True)
class Sample:
    """What of a run's step times was compared.

    Attributes:
        compared: Batches.
        every: One in how many of the run's batches is among them, at most.
        warmup: Kept batches left out as the first of the run or of an epoch.
        chosen: Kept batches left out because they were kept for being slow, profiled or failed.
        correlation: Time of correlation in steps, of both runs the longer one; 0 where there are too few.
        blocks: Blocks; 0 where there are too few.
        length: Steps in each block.
        mean_of_all: Mean of all batches, kept or not; None where no epoch has ended.
    """

    compared: int
    every: int
    warmup: int
    chosen: int
    correlation: float
    blocks: int
    length: int
    mean_of_all: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """A statistic of the batch time.

    Attributes:
        name: What it is.
        estimate: How it changed, as a ratio.
        level: Probability of bounds that miss; of a judged one, its part of the level of the whole comparison.
        judged: Whether the outcome rests on it.
        changed: Whether it changed beyond noise, and by more than the least change that matters.
    """

    name: str
    estimate: Estimate
    level: float
    judged: bool
    changed: bool


@dataclass(frozen=True, slots=True)
class PhaseChange:
    """A phase of a batch: how its mean changed, as a difference in seconds; `changed` where that is beyond noise."""

    phase: str
    estimate: Estimate
    changed: bool


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of both runs without a test, in a UCUM unit; None where a run has none."""

    group: str
    name: str
    unit: str
    base: float | None
    other: float | None

    @property
    def ratio(self) -> float | None:
        """Return the second by the first; None where that has no meaning."""
        return self.other / self.base if self.base and self.other is not None else None


@dataclass(frozen=True, slots=True)
class Difference:
    """A text that is not the same in both runs; empty where a run does not have it."""

    group: str
    name: str
    base: str
    other: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A run beside the first one.

    Attributes:
        outcome: Whether it is slower.
        sentence: The same with its numbers.
        base: The first run's sample.
        other: Its own.
        changes: Statistics of the batch time; empty where there are too few batches.
        phases: The phases, those that changed most first.
        quantities: What else there is in numbers.
        differences: Configuration, versions and machine, where they differ.
        notes: What a reader should know before believing it.
    """

    run: Measured
    outcome: Outcome
    sentence: str
    base: Sample
    other: Sample
    changes: list[Change]
    phases: list[PhaseChange]
    quantities: list[Quantity]
    differences: list[Difference]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs beside the first of them.

    Attributes:
        base: The first run.
        pairs: The others, each beside the first.
        level: Probability of at least one false alarm in all pairs together.
        least: Least change of the batch time that matters, as a share.
        warmup: Batches left out at the beginning of each run.
    """

    base: Measured
    pairs: list[Pair]
    level: float
    least: float
    warmup: int
