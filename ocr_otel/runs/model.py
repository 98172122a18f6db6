"""What a run directory holds, as typed tables. Times are Unix nanoseconds, durations seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.semconv.attributes.exception_attributes import EXCEPTION_MESSAGE, EXCEPTION_TYPE

from ocr_otel import semconv
from ocr_otel.semconv import Phase

Value = Any
"""An attribute's value: str, bool, int, float, None, or a list or map of them."""


def finite(value: Value, default: float = 0.0) -> float:
    """Return an attribute's value as a number; the default where it is none, or one that no double holds."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return default
    try:
        return float(value) if math.isfinite(value) else default
    except OverflowError:
        return default


def exception_of(attributes: dict[str, Value]) -> str:
    """Return type and message of the exception that attributes tell of; empty without one."""
    parts = (attributes.get(EXCEPTION_TYPE), attributes.get(EXCEPTION_MESSAGE))
    return ": ".join(str(part) for part in parts if part)


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """An event of a span: its name and its attributes."""

    name: str
    attributes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """One span.

    Attributes:
        name: Its name.
        trace_id: Hex.
        span_id: Hex.
        parent_id: Hex; empty for a root.
        start: When it began.
        end: When it ended.
        attributes: Its attributes.
        links: Span ids that it links to.
        failed: Whether its status is an error.
        exception: Type and message of the exception on it, if there is one.
        events: Its events, in the order in which they were recorded.
        children: Spans inside it.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Value]
    links: tuple[str, ...] = ()
    failed: bool = False
    exception: str = ""
    events: tuple[SpanEvent, ...] = ()
    children: list[SpanRecord] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Duration."""
        return max(0, self.end - self.start) / 1e9

    def event(self, name: str) -> dict[str, Value] | None:
        """Return the attributes of the first event with a name; None where there is none."""
        return next((event.attributes for event in self.events if event.name == name), None)

    def number(self, name: str, default: float = 0.0) -> float:
        """Return a numeric attribute; the default where it is missing or no number."""
        return finite(self.attributes.get(name), default)

    def text(self, name: str) -> str:
        """Return a text attribute; empty where it is missing."""
        value = self.attributes.get(name, "")
        return value if isinstance(value, str) else str(value)

    def phases(self) -> dict[Phase, float]:
        """Return the seconds of each phase."""
        return {phase: self.number(semconv.phase_seconds(phase)) for phase in Phase}

    def device(self) -> dict[Phase, float]:
        """Return the seconds of each phase in the device's stream."""
        return {phase: self.number(semconv.device_seconds(phase)) for phase in Phase}

    def logged(self) -> dict[str, float]:
        """Return what the module logged, where it is a finite number."""
        prefix = semconv.LOGGED_PREFIX
        found = {
            name[len(prefix) :]: self.number(name, math.nan) for name in self.attributes if name.startswith(prefix)
        }
        return {name: value for name, value in found.items() if math.isfinite(value)}


@dataclass(frozen=True, slots=True)
class Epoch:
    """A training epoch that has ended.

    Attributes:
        span: Its span.
        validations: Validations inside it.
        checkpoints: Checkpoints written inside it, those inside its validations too.
    """

    span: SpanRecord
    validations: list[SpanRecord]
    checkpoints: list[SpanRecord]


@dataclass(frozen=True, slots=True)
class Batch:
    """A kept batch; its span's children are its phases and its worker."""

    span: SpanRecord
    rank: int

    @property
    def slow(self) -> bool:
        """Whether it was kept for being slow."""
        return self.span.text(semconv.KEPT) == semconv.Kept.SLOW


@dataclass(frozen=True, slots=True)
class Window:
    """A window of the profiler.

    Attributes:
        span: Its span; the events say what it showed.
        rank: Whose it is.
        epoch: Epoch that it was in; -1 where unknown.
        directory: Where the files of its rank lie.
    """

    span: SpanRecord
    rank: int
    epoch: int
    directory: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A `fit`, `validate`, `test` or `predict`.

    Attributes:
        name: Which of them.
        start: When it began.
        root: Its span; None while it runs, or where it was killed.
        configuration: Attributes of its start span.
        epochs: Training epochs that have ended.
        resource: What its process was: a run that was started again has several.
    """

    name: str
    start: int
    root: SpanRecord | None
    configuration: dict[str, Value]
    epochs: list[Epoch] = field(default_factory=list)
    resource: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankRecord:
    """A rank beside its batches.

    Attributes:
        rank: Which.
        resource: What its process was.
        epochs: Spans of its training epochs that have ended, in the order in which they ended.
    """

    rank: int
    resource: dict[str, Value]
    epochs: list[SpanRecord]


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A point of a metric: a number, or a histogram's count and sum.

    Attributes:
        name: The metric.
        time: When it was exported.
        attributes: Which of the metric's series.
        value: The number, or the histogram's sum; NaN where it is none.
        count: The histogram's count.
        rank: Whose it is.
    """

    name: str
    time: int
    attributes: dict[str, Value]
    value: float
    count: int
    rank: int = 0


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event that was emitted as a log record.

    Attributes:
        name: Its name.
        time: When it happened.
        attributes: Its attributes.
        rank: Whose it is.
    """

    name: str
    time: int
    attributes: dict[str, Value]
    rank: int = 0


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the program logged.

    Attributes:
        time: When.
        severity: OpenTelemetry's number: from 9 on information, from 13 a warning, from 17 an error, from 21 fatal.
        level: The same in a word.
        logger: Who.
        text: What.
        attributes: Its attributes: where the training was, and the exception.
        trace_id: Hex; empty outside of an entry.
        rank: Whose it is.
    """

    time: int
    severity: int
    level: str
    logger: str
    text: str
    attributes: dict[str, Value]
    trace_id: str
    rank: int = 0

    @property
    def exception(self) -> str:
        """Type and message of its exception; empty without one."""
        return exception_of(self.attributes)


@dataclass(frozen=True, slots=True)
class Run:
    """A run directory.

    Attributes:
        run_id: Its name.
        directory: Where it lies.
        resource: What the process (rank 0) was.
        ranks: Number of ranks with files.
        entries: Trainer entries of rank 0, in order of time.
        batches: Kept batches of all ranks, in order of time.
        others: Validations, checkpoints and progress spans of rank 0 that are not inside an epoch that has ended.
        windows: Windows of the profiler of all ranks, in order of time.
        points: Metric points: all of rank 0, in order of time, and the last ones of the other ranks.
        damaged: Lines that could not be read, as `file:line`.
        left_out: Spans without the shape of one.
        spans: Number of spans read.
        events: Events of all ranks, in order of time.
        by_rank: All ranks with files.
        log_lines: What the program logged on all ranks, in order of time; of very much the last.
        logged_in_all: How much that was, by the word for its level.
        sampled: Whether files were too long to be read whole, so that of what is between only an even choice is here.
    """

    run_id: str
    directory: str
    resource: dict[str, Value]
    ranks: int
    entries: list[Entry]
    batches: list[Batch]
    others: list[SpanRecord]
    windows: list[Window]
    points: list[MetricPoint]
    damaged: list[str]
    left_out: int
    spans: int
    events: list[LogEvent] = field(default_factory=list)
    by_rank: list[RankRecord] = field(default_factory=list)
    log_lines: list[LogLine] = field(default_factory=list)
    logged_in_all: dict[str, int] = field(default_factory=dict)
    sampled: bool = False

    @property
    def damaged_lines(self) -> int:
        """Number of lines that could not be read."""
        return len(self.damaged)
