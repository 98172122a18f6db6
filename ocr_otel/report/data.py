"""What a report shows, in plain data. Times are seconds; `start` counts from the beginning of the run."""

from __future__ import annotations

from dataclasses import dataclass, field

from ocr_otel.diagnosis import Diagnosis, TimeBudget, Verdict
from ocr_otel.report.hangs import HangRow
from ocr_otel.report.ranks import RankRow, Straggling
from ocr_otel.report.readings import Fact, Resources
from ocr_otel.report.records import RecordRow
from ocr_otel.report.windows import WindowRow

Points = list[tuple[float, float]]
"""Values over the time of the run: pairs of seconds and value."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A training epoch that has ended; `memory` and `device_memory` are bytes, 0 where unknown."""

    epoch: int
    start: float
    budget: TimeBudget
    samples: int
    throughput: float
    data_wait: float
    p50: float
    p95: float
    p99: float
    longest: float
    slow_batches: int
    memory: float
    device_memory: float
    mfu: float | None
    skipped_steps: int
    logged: dict[str, float]
    verdict: str
    resources: dict[str, float] = field(default_factory=dict)
    """What the machine did meanwhile: by the span's attribute, where it is a number."""


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A dataloader worker, -1 for the training process; `batches` are kept ones."""

    worker: int
    pid: int
    batches: int
    dataset_mean: float
    dataset_p95: float
    collate_mean: float
    collate_p95: float
    cache_hit_rate: float | None


@dataclass(frozen=True, slots=True)
class Bar:
    """A span in a waterfall; `start` counts from the beginning of the batch, negative for what was prefetched.

    The bar of another rank has `parts`: its phases, each with start and seconds.
    """

    name: str
    kind: str
    start: float
    seconds: float
    depth: int
    failed: bool
    parts: list[tuple[str, float, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A kept batch; `ratio` is its duration over the running median, 0 where unknown.

    `phases` are seconds on the host, `device` those in the device's stream, where they were measured.
    """

    stage: str
    kept: str
    epoch: int
    batch_idx: int
    rank: int
    start: float
    seconds: float
    samples: int
    ratio: float
    exception: str
    phases: dict[str, float]
    device: dict[str, float]
    trace_id: str
    waterfall: list[Bar]
    differences: list[Fact] = field(default_factory=list)
    """What the machine did otherwise than usual while a slow batch ran."""
    records: list[RecordRow] = field(default_factory=list)
    """What the program logged in it."""
    remarks: str = ""
    """Ranks that its waterfall leaves out, and how spans of other hosts were put on one line; empty without either."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A bar of the time line."""

    name: str
    label: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A Trainer entry beside the one that the report is about."""

    name: str
    outcome: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the report shows.

    Attributes:
        run_id: The run.
        service: `service.name`.
        began: When it began, Unix seconds; 0 where unknown.
        entry: The entry that the report is about: the longest `fit`, or the longest entry; empty without one.
        outcome: How it ended; `running or killed` where its root is missing.
        exception: Type and message of what ended it, or how its process was ended.
        wall: How long it took, or has taken so far.
        span: Seconds from the first to the last of all entries.
        diagnosis: What limits it: as recorded, else from the budget; None where it is too early for a verdict.
        budget: Where its wall time went.
        batches: Training batches (of another entry than `fit`, its batches).
        samples: Samples in them.
        slow_batches: Batches found slow.
        skipped_steps: Optimiser steps that a gradient scaler skipped.
        p50: Median batch time, of the epoch with most batches.
        p95: 95th percentile of the batch time, of the same epoch.
        goodput: Share of the wall time that trained.
        time_to_first_batch: Seconds until the first training batch.
        mfu: Model FLOPs utilisation.
        attempt: Which attempt of its job it is, and why the one before ended; empty for a first one.
        ranks: Ranks with files; one row each where there are several.
        straggling: Whether one of them holds up the others.
        epochs: Training epochs that have ended.
        lanes: The time line.
        kept: Kept batches that can be opened.
        dots: Duration of all kept training batches, evenly thinned, over time.
        kept_in_all: Number of kept batches.
        workers: Dataloader workers.
        windows: Windows of the profiler.
        windows_in_all: Number of windows that there were.
        telling: Index of the window that shows the verdict best; None without one.
        throughput: Samples a second over time, as exported.
        logged: What the module logged, over time.
        configuration: Configuration of the entry.
        environment: What the process was.
        resources: What the machine did.
        other_entries: The other entries.
        overhead: Seconds that the recording took, by part.
        dropped: Spans that were not delivered, of all ranks.
        errors: Failures of ocr_otel that were caught, of all ranks.
        hangs: Times in which it did not go on, of all ranks.
        records: What the program logged, each wording once.
        records_in_all: How much that was, in words; empty where nothing was.
        damaged: Lines that could not be read, as `file:line`.
        left_out: Spans without the shape of one.
    """

    run_id: str
    service: str
    began: float
    entry: str
    outcome: str
    exception: str
    wall: float
    span: float
    diagnosis: Diagnosis | None
    budget: TimeBudget
    batches: int
    samples: int
    slow_batches: int
    skipped_steps: int
    p50: float
    p95: float
    goodput: float | None
    time_to_first_batch: float | None
    mfu: float | None
    attempt: str
    ranks: list[RankRow]
    straggling: Straggling
    epochs: list[EpochRow]
    lanes: list[Lane]
    kept: list[BatchRow]
    dots: Points
    kept_in_all: int
    workers: list[WorkerRow]
    windows: list[WindowRow]
    windows_in_all: int
    telling: int | None
    throughput: Points
    logged: dict[str, Points]
    configuration: dict[str, str]
    environment: dict[str, str]
    resources: Resources
    other_entries: list[EntryRow]
    overhead: dict[str, float]
    dropped: int
    errors: int
    hangs: list[HangRow]
    records: list[RecordRow]
    records_in_all: str
    damaged: list[str]
    left_out: int

    @property
    def verdict(self) -> Verdict | None:
        """The first cause."""
        return self.diagnosis.verdict if self.diagnosis is not None else None
