"""Where a run is now, from what it has written and what its process says: pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import Verdict
from ocr_otel.report import causes
from ocr_otel.report.data import ReportData
from ocr_otel.runs import Entry, MetricPoint, Run, SpanRecord, finite
from ocr_otel.semconv import Phase, Stage

MAX_LOGGED: Final = 6
"""Logged values that are shown."""
LATEST_EPOCHS: Final = 5
"""Ended epochs by whose pace the end is estimated."""
_RATE_SECONDS: Final = 10.0
"""Time over which the pace of batches is taken from what the process says."""


class State(StrEnum):
    """Whether a run goes on."""

    RUNNING = "running"
    ENDED = "ended"
    SILENT = "silent"
    """Nothing says that it ended, and nothing that it lives."""
    DEAD = "killed"
    """Its process is gone, and did not say that it ended."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is known of a run's process; times are Unix seconds.

    Attributes:
        here: Whether the process runs on this machine; None where that cannot be seen from here.
        written: When a file of the run was written last.
        steps: What it said: time, and training batches since its entry began; the newest last.
        batch_seconds: Its median batch time; 0 where unknown.
        ready: Whether it takes requests for a window of the profiler.
    """

    here: bool | None
    written: float
    steps: tuple[tuple[float, int], ...] = ()
    batch_seconds: float = 0.0
    ready: bool = False


@dataclass(frozen=True, slots=True)
class Now:
    """Where a run is; times in seconds, None where something is not known.

    Attributes:
        state: Whether it goes on.
        said: That in a few words.
        entry: `fit`, `validate`, `test` or `predict`.
        batches: Training batches done.
        total: Batches that there will be.
        remaining: Until the end, estimated.
        epoch: The current epoch, from 0.
        epochs: How many there will be.
        as_of: Age of the count of batches.
        asked: Whether the process itself said it; else it is from the last export.
        batches_per_second: Pace.
        samples_per_second: Pace in samples.
        batch_seconds: Median batch time.
        data_wait: Share of the time that the loop waited for data.
        phases: Share of each phase in the time between the last two exports, in the order of the phases.
        logged: What the module logged last.
        verdict: What limits it, in a sentence; empty where it is too early.
        verdict_kind: Which kind that is.
        verdict_share: Its share of the time.
        ready: Whether a window of the profiler can be asked for.
    """

    state: State
    said: str
    entry: str
    batches: int
    total: int | None
    remaining: float | None
    epoch: int | None
    epochs: int | None
    as_of: float
    asked: bool
    batches_per_second: float | None
    samples_per_second: float | None
    batch_seconds: float | None
    data_wait: float | None
    phases: list[tuple[str, float]] = field(default_factory=list)
    logged: list[tuple[str, float]] = field(default_factory=list)
    verdict: str = ""
    verdict_kind: str = ""
    verdict_share: float = 0.0
    ready: bool = False


def now(run: Run, heard: Heard, time: float, data: ReportData | None = None) -> Now:
    """Return where a run is.

    Args:
        run: What it has written.
        heard: What is known of its process.
        time: Unix seconds.
        data: Its report, whose verdict also counts what has not ended; else the one of the last ended epoch is taken.
    """
    entry = run.entries[-1] if run.entries else None
    latest = _Latest(run)
    root = entry.root if entry else None
    state, said = _state(root, heard, time)
    exported = latest.of(semconv.METRIC_BATCHES, Stage.TRAIN)
    asked = state is State.RUNNING and bool(heard.steps)
    before = _before(run, entry)
    if root is not None:
        batches = int(root.number(semconv.BATCHES))
    elif asked:
        batches = heard.steps[-1][1]
    else:
        batches = max(0, int(exported.value) - before) if exported else 0
    as_of = time - (heard.steps[-1][0] if asked else exported.time / 1e9 if exported else heard.written)
    total, epochs = planned(entry, batches)
    pace = _pace(heard.steps) if asked else latest.value(semconv.METRIC_THROUGHPUT_BATCHES, Stage.TRAIN)
    samples = latest.value(semconv.METRIC_THROUGHPUT_SAMPLES, Stage.TRAIN)
    if asked and pace is not None and (size := latest.batch_size()):
        samples = pace * size
    running = state is State.RUNNING
    epoch = latest.value(semconv.METRIC_EPOCH, None)
    verdict = data.verdict if data is not None else _recorded(entry)
    return Now(
        state=state,
        said=said,
        entry=entry.name if entry else "",
        batches=batches,
        total=total,
        remaining=_remaining(entry, batches, total, pace) if running else None,
        epoch=int(epoch) if epoch is not None else len(entry.epochs) - 1 if entry and entry.epochs else None,
        epochs=epochs,
        as_of=max(0.0, as_of),
        asked=asked,
        batches_per_second=pace if running else None,
        samples_per_second=samples if running or root is None else None,
        batch_seconds=heard.batch_seconds or _median(entry),
        data_wait=latest.value(semconv.METRIC_DATA_WAIT, Stage.TRAIN),
        phases=phases_now(run.points),
        logged=latest.logged(),
        verdict=verdict.summary if verdict else "",
        verdict_kind=str(verdict.kind) if verdict else "",
        verdict_share=verdict.share if verdict else 0.0,
        ready=heard.ready and running,
    )


def planned(entry: Entry | None, batches: int) -> tuple[int | None, int | None]:
    """Return how many training batches, and how many epochs, an entry will have; None where that is not known.

    The batches of an epoch are those of the last whole one; `max_steps` bounds them where it is set.
    """
    if entry is None or entry.name != semconv.FIT:
        return None, None
    told = entry.configuration
    epochs = int(finite(told.get(semconv.CONFIG_PREFIX + "max_epochs"), -1))
    steps = int(finite(told.get(semconv.CONFIG_PREFIX + "max_steps"), -1))
    # The last one may have been cut short: by an exception, or because the training was told to stop.
    of_an_epoch = max((int(epoch.span.number(semconv.BATCHES)) for epoch in entry.epochs[-2:]), default=0)
    bounds = []
    if epochs > 0 and of_an_epoch > 0:
        bounds.append(epochs * of_an_epoch)
    if steps > 0:
        bounds.append(steps * max(1, int(finite(told.get(semconv.CONFIG_ACCUMULATE), 1))))
    total = min(bounds, default=None)
    return (max(total, batches) if total is not None else None), (epochs if epochs > 0 else None)


def phases_now(points: list[MetricPoint]) -> list[tuple[str, float]]:
    """Return the share of each phase of the training between the last two exports in which batches ended.

    Args:
        points: Metric points; a phase's is the cumulative sum of its seconds.
    """
    sums: dict[int, dict[str, float]] = {}
    for point in points:
        of_rank_0 = point.name == semconv.METRIC_PHASE_DURATION and not point.rank and math.isfinite(point.value)
        if of_rank_0 and point.attributes.get(semconv.STAGE) == Stage.TRAIN:
            sums.setdefault(point.time, {})[str(point.attributes.get(semconv.PHASE))] = point.value
    times = sorted(sums)
    for earlier, later in reversed(list(pairwise(times))):
        spent = {
            str(phase): sums[later].get(phase, 0.0) - sums[earlier].get(phase, 0.0)
            for phase in Phase
            if sums[later].get(phase, 0.0) > sums[earlier].get(phase, 0.0)
        }
        if whole := sum(spent.values()):
            return [(phase, seconds / whole) for phase, seconds in spent.items()]
    return []


class _Latest:
    """The last points of a run's metrics."""

    def __init__(self, run: Run) -> None:
        self._points: dict[tuple[str, str], MetricPoint] = {}
        self._logged: dict[str, float] = {}
        for point in run.points:
            if point.rank or not math.isfinite(point.value):
                continue
            if point.name == semconv.METRIC_LOGGED:
                self._logged[str(point.attributes.get(semconv.METRIC_NAME, ""))] = point.value
            else:
                self._points[point.name, str(point.attributes.get(semconv.STAGE, ""))] = point

    def of(self, metric: str, stage: Stage | None) -> MetricPoint | None:
        return self._points.get((metric, str(stage) if stage is not None else ""))

    def value(self, metric: str, stage: Stage | None) -> float | None:
        found = self.of(metric, stage)
        return found.value if found is not None else None

    def batch_size(self) -> float | None:
        samples, batches = self.of(semconv.METRIC_SAMPLES, Stage.TRAIN), self.of(semconv.METRIC_BATCHES, Stage.TRAIN)
        return samples.value / batches.value if samples and batches and batches.value else None

    def logged(self) -> list[tuple[str, float]]:
        # A loss first: it is what is looked for.
        names = sorted(self._logged, key=lambda name: ("loss" not in name, name))
        return [(name, self._logged[name]) for name in names[:MAX_LOGGED]]


def _state(root: SpanRecord | None, heard: Heard, time: float) -> tuple[State, str]:
    if root is not None:
        return State.ENDED, root.text(semconv.OUTCOME) or "ended"
    if heard.here is False:
        return State.DEAD, "killed, or ended without a word"
    silence = time - heard.written
    if heard.here or heard.steps or silence < _SILENT_AFTER:
        return State.RUNNING, "running"
    return State.SILENT, "silent: running elsewhere or killed"


_SILENT_AFTER: Final = 60.0
"""Seconds without a word of a run whose process is not seen from here; it exports every ten, or once a minute."""


def _before(run: Run, entry: Entry | None) -> int:
    # The counters of a process run on through all its entries.
    earlier = [each for each in run.entries if entry is not None and each is not entry and each.root is not None]
    return sum(int(each.root.number(semconv.BATCHES)) for each in earlier if each.root and each.name == semconv.FIT)


def _pace(steps: tuple[tuple[float, int], ...]) -> float | None:
    last = steps[-1]
    first = next((each for each in steps if last[0] - each[0] <= _RATE_SECONDS), last)
    return max(0, last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else None


def _remaining(entry: Entry | None, batches: int, total: int | None, pace: float | None) -> float | None:
    if entry is None or total is None:
        return None
    ended = [epoch.span for epoch in entry.epochs[-LATEST_EPOCHS:]]
    done = sum(span.number(semconv.BATCHES) for span in ended)
    if done:
        # Validations and checkpoints are in it.
        return (total - batches) * sum(span.seconds for span in ended) / done
    return (total - batches) / pace if pace else None


def _median(entry: Entry | None) -> float | None:
    return entry.epochs[-1].span.number(semconv.BATCH_P50) or None if entry and entry.epochs else None


def _recorded(entry: Entry | None) -> Verdict | None:
    if entry is None:
        return None
    spans = [entry.root, *(epoch.span for epoch in entry.epochs[-1:])]
    found = next((found for span in spans if span is not None and (found := causes.of_span(span)) is not None), None)
    return found.verdict if found is not None else None
