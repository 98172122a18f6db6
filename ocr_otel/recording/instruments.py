"""The metrics of section "metrics" in `semconv`, made once a process and fed from drained records."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from opentelemetry.metrics import Counter, Meter, Observation

from ocr_otel import semconv
from ocr_otel.ranks import Figures
from ocr_otel.recording import rows as columns
from ocr_otel.recording.journal import Timing
from ocr_otel.semconv import Outcome, Phase, ProfileMode, Stage
from ocr_otel.telemetry import ExemplarPoint, Session
from ocr_otel.telemetry.failures import Failed
from ocr_otel.telemetry.observing import observer

WINDOW_SECONDS: Final = 30.0
"""Width of the sliding window of throughput and data wait."""
MAX_LOGGED: Final = 64
"""Names of logged values that become series."""

_BY_STAGE: Final = {stage: {semconv.STAGE: str(stage)} for stage in Stage}
_BY_PHASE: Final = {
    (stage, phase): {semconv.STAGE: str(stage), semconv.PHASE: str(phase)} for stage in Stage for phase in Phase
}


class _Window:
    """Chunks of drained batches, for rates over the last half minute."""

    def __init__(self) -> None:
        self._chunks: deque[tuple[int, int, int, int, int]] = deque()

    def add(self, rows: npt.NDArray[np.int64]) -> None:
        last_end = int(rows[-1, columns.START] + rows[-1, columns.DURATION])
        self._chunks.append((
            int(rows[0, columns.START]), last_end, len(rows), int(rows[:, columns.SAMPLES].sum()),
            int(rows[:, columns.PARTS].sum()),
        ))  # fmt: skip

    def rates(self, now: int) -> tuple[float, float, float] | None:
        """Return samples a second, batches a second, and share of waiting."""
        oldest = now - int(WINDOW_SECONDS * 1e9)
        while self._chunks and self._chunks[0][1] < oldest:
            self._chunks.popleft()
        if not self._chunks:
            return None
        seconds = max(1e-9, (self._chunks[-1][1] - self._chunks[0][0]) / 1e9)
        batches, samples, waited = (sum(chunk[index] for chunk in self._chunks) for index in (2, 3, 4))
        return samples / seconds, batches / seconds, min(1.0, waited / 1e9 / seconds)


class Instruments:
    """All instruments of a process.

    Args:
        session: The process's telemetry.
        drain: Called at each collection, in the exporter's thread, so that what waits in the journal is counted.
        costs: Returns the nanoseconds that our own parts took, by part.
        failed: Takes what fails at a collection, with its cause.
    """

    def __init__(
        self, session: Session, drain: Callable[[], None], costs: Callable[[], dict[str, int]], failed: Failed
    ) -> None:
        meter = session.meter
        self._losses = session.losses
        self._drain = drain
        self._costs = costs
        self._failed = failed
        self._lock = threading.Lock()
        self._windows: dict[Stage, _Window] = {}
        self._logged: dict[str, float] = {}
        self._errors: dict[str, int] = {}
        self.active: int = 0
        self.epoch: int | None = None
        self.global_step: int | None = None
        self.last_batch_unix: float | None = None
        self.of_rank: Figures = Figures()
        self._batch_duration = session.duration_histogram(semconv.METRIC_BATCH_DURATION)
        self._phase_duration = session.duration_histogram(semconv.METRIC_PHASE_DURATION)
        self._worker_duration = session.duration_histogram(semconv.METRIC_WORKER_DURATION)
        self._epoch_duration = session.duration_histogram(semconv.METRIC_EPOCH_DURATION)
        self._checkpoint_duration = session.duration_histogram(semconv.METRIC_CHECKPOINT_DURATION)
        described = semconv.METRICS[semconv.METRIC_CHECKPOINT_SIZE]
        self._checkpoint_size = meter.create_histogram(
            described.name,
            unit=described.unit,
            description=described.meaning,
            explicit_bucket_boundaries_advisory=[float(4**power) for power in range(8, 21)],
        )
        self._samples = _counter(meter, semconv.METRIC_SAMPLES)
        self._batches = _counter(meter, semconv.METRIC_BATCHES)
        self._epochs = _counter(meter, semconv.METRIC_EPOCHS)
        self._runs = _counter(meter, semconv.METRIC_RUNS)
        self._hits = _counter(meter, semconv.METRIC_CACHE_HITS)
        self._misses = _counter(meter, semconv.METRIC_CACHE_MISSES)
        self._skipped = _counter(meter, semconv.METRIC_AMP_SKIPPED)
        self._profiles = _counter(meter, semconv.PROFILES)
        # The first of the observers drains, so that counters and gauges of one export agree.
        self._observe(meter.create_observable_gauge, semconv.METRIC_RUN_ACTIVE, self._run_active)
        self._observe(meter.create_observable_gauge, semconv.METRIC_THROUGHPUT_SAMPLES, lambda: self._rate(0))
        self._observe(meter.create_observable_gauge, semconv.METRIC_THROUGHPUT_BATCHES, lambda: self._rate(1))
        self._observe(meter.create_observable_gauge, semconv.METRIC_DATA_WAIT, lambda: self._rate(2))
        self._observe(meter.create_observable_gauge, semconv.METRIC_EPOCH, lambda: _single(self.epoch))
        self._observe(meter.create_observable_gauge, semconv.METRIC_GLOBAL_STEP, lambda: _single(self.global_step))
        self._observe(meter.create_observable_gauge, semconv.METRIC_LAST_BATCH, lambda: _single(self.last_batch_unix))
        self._observe(meter.create_observable_gauge, semconv.METRIC_LOGGED, self._logged_values)
        self._observe(meter.create_observable_counter, semconv.METRIC_OVERHEAD, self._overhead)
        self._observe(meter.create_observable_counter, semconv.METRIC_ERRORS, self._error_counts)
        self._observe(meter.create_observable_counter, semconv.METRIC_SPANS_DROPPED, self._dropped)
        if session.identity.world_size > 1:
            gauge, counter = meter.create_observable_gauge, meter.create_observable_counter
            self._observe(gauge, semconv.METRIC_STRAGGLER_DELAY, lambda: _single(self.of_rank.delay))
            self._observe(counter, semconv.METRIC_STRAGGLER_STEPS, lambda: _single(self.of_rank.last))

    def begin_entry(self, stages: Iterable[Stage]) -> None:
        """Set the counters of an entry to 0: Prometheus's `rate` loses the first increment of a series."""
        self.active = 1
        for stage in stages:
            for counter in (self._samples, self._batches, self._epochs):
                counter.add(0, _BY_STAGE[stage])
        for mode in ProfileMode:
            self._profiles.add(0, {semconv.PROFILE_MODE: str(mode)})
        for outcome in Outcome:
            self._runs.add(0, {semconv.OUTCOME_LABEL: str(outcome)})

    def end_entry(self, outcome: Outcome) -> None:
        """Count the entry; the gauges of what runs now end with it."""
        self.active = 0
        self._windows.clear()
        self._runs.add(1, {semconv.OUTCOME_LABEL: str(outcome)})

    def batches_done(
        self,
        stage: Stage,
        rows: npt.NDArray[np.int64],
        phases: dict[Phase, npt.NDArray[np.int64]],
        kept: Sequence[int],
    ) -> None:
        """Take drained rows.

        Args:
            stage: Their stage.
            rows: The rows.
            phases: Nanoseconds of each phase in them.
            kept: Which of them are to be traces: their durations are counted when that is made, see `kept_done`.
        """
        by_stage = _BY_STAGE[stage]
        self._batch_duration.record_many(np.delete(rows[:, columns.DURATION], kept) / 1e9, by_stage)
        for phase, nanoseconds in phases.items():
            if nanoseconds.any():
                self._phase_duration.record_many(nanoseconds / 1e9, _BY_PHASE[stage, phase])
        self._batches.add(len(rows), by_stage)
        self._samples.add(int(rows[:, columns.SAMPLES].sum()), by_stage)
        self._windows.setdefault(stage, _Window()).add(rows)

    def kept_done(self, stage: Stage, durations: Sequence[tuple[float, ExemplarPoint | None]]) -> None:
        """Count kept batches: seconds, and the trace that explains them, where it was sampled."""
        self._batch_duration.record_many(
            np.array([seconds for seconds, _ in durations]),
            _BY_STAGE[stage],
            [exemplar for _, exemplar in durations if exemplar is not None],
        )

    def workers_done(self, stage: Stage, timings: Sequence[Timing]) -> None:
        """Take what the dataloader's workers did."""
        _, _, start, collate, end, _, hits, misses, _ = zip(*timings, strict=True)
        begun, collating, done = (np.array(each, dtype=np.int64) for each in (start, collate, end))
        for part, nanoseconds in (("dataset", collating - begun), ("collate", done - collating)):
            self._worker_duration.record_many(nanoseconds / 1e9, {semconv.STAGE: str(stage), semconv.PART: part})
        for counter, counts in ((self._hits, hits), (self._misses, misses)):
            known = [count for count in counts if count is not None]
            if known:
                counter.add(sum(known), _BY_STAGE[stage])

    def loop_done(self, stage: Stage, seconds: float) -> None:
        """Count an epoch or a validation."""
        self._epochs.add(1, _BY_STAGE[stage])
        self._epoch_duration.record_many(np.array([seconds]), _BY_STAGE[stage])

    def checkpoint_done(self, seconds: float, size: int | None) -> None:
        """Count a checkpoint; `size` is in bytes, None where unknown."""
        self._checkpoint_duration.record_many(np.array([seconds]), {})
        if size is not None:
            self._checkpoint_size.record(size)

    def steps_skipped(self, number: int) -> None:
        """Count optimiser steps that a gradient scaler skipped."""
        self._skipped.add(number)

    def profiled(self, mode: ProfileMode) -> None:
        """Count a window of the profiler."""
        self._profiles.add(1, {semconv.PROFILE_MODE: str(mode)})

    def log(self, values: Mapping[str, float]) -> None:
        """Take what the module logged."""
        with self._lock:
            for name, value in values.items():
                if name in self._logged or len(self._logged) < MAX_LOGGED:
                    self._logged[name] = value

    def error(self, cause: str) -> None:
        """Count a failure of ours."""
        with self._lock:
            self._errors[cause] = self._errors.get(cause, 0) + 1

    def _observe(self, create: Any, name: str, values: Callable[[], list[Observation]]) -> None:
        described = semconv.METRICS[name]
        observe = observer(values, self._failed, "metrics")
        create(name, callbacks=[observe], unit=described.unit, description=described.meaning)

    def _run_active(self) -> list[Observation]:
        self._drain()
        return [Observation(self.active)]

    def _rate(self, index: int) -> list[Observation]:
        now = time.perf_counter_ns()
        found = [(stage, window.rates(now)) for stage, window in list(self._windows.items())]
        return [Observation(rates[index], _BY_STAGE[stage]) for stage, rates in found if rates is not None]

    def _logged_values(self) -> list[Observation]:
        with self._lock:
            return [Observation(value, {semconv.METRIC_NAME: name}) for name, value in self._logged.items()]

    def _overhead(self) -> list[Observation]:
        return [Observation(took / 1e9, {semconv.PART: part}) for part, took in self._costs().items()]

    def _error_counts(self) -> list[Observation]:
        with self._lock:
            counts = self._errors or {"none": 0}
            return [Observation(number, {semconv.CAUSE: cause}) for cause, number in counts.items()]

    def _dropped(self) -> list[Observation]:
        counts = dict(self._losses.spans) or {"none": 0}
        return [Observation(number, {semconv.CAUSE: cause}) for cause, number in counts.items()]


def _counter(meter: Meter, name: str) -> Counter:
    described = semconv.METRICS[name]
    return meter.create_counter(name, unit=described.unit, description=described.meaning)


def _single(value: float | None) -> list[Observation]:
    return [] if value is None else [Observation(value)]
