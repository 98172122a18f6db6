"""Follows one Trainer entry: takes the batch path's records, decides what is kept, makes spans and metrics of it."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any, Final

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link

from ocr_otel import semconv
from ocr_otel.recording import batch_trace, clock, ids, ring, sampling
from ocr_otel.recording.batch_trace import KeptBatch, WorkerTiming
from ocr_otel.recording.instruments import Instruments
from ocr_otel.recording.loop import Loop, loop_attributes
from ocr_otel.recording.run_trace import RunTrace
from ocr_otel.recording.summaries import EntrySummary, LoopSummary, phase_nanoseconds
from ocr_otel.semconv import Kept, Outcome, Phase, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import ExemplarPoint, Session

DRAIN_ROWS: Final = 512
"""Rows after which the training thread drains the ring itself: about 1 µs a batch, and an eighth of the ring."""
PROGRESS_NS: Final = 600_000_000_000
"""An epoch longer than ten minutes is reported in parts of ten minutes."""

Judge = Callable[[tuple[LoopSummary, ...], float], Mapping[str, Any]]
"""Gives the attributes of a verdict on epochs and their wall time; handed in, because diagnosis is not known here."""

_SPAN_BY_STAGE: Final = {
    Stage.TRAIN: semconv.TRAIN_EPOCH,
    Stage.VALIDATE: semconv.VALIDATION,
    Stage.SANITY_CHECK: semconv.SANITY_CHECK,
}


class Recorder:
    """The recording of a process, for one Trainer entry at a time.

    The batch path is `fetch_begins`, `batch_begins` and, from both ends, `close_batch`; all other methods are called a
    few times an epoch. Times are monotonic nanoseconds unless a name says otherwise.

    Attributes:
        clock: The record of the batch that runs.
        instruments: The metrics.
        busy: Whether an entry is being recorded.
    """

    def __init__(self, session: Session, settings: Settings, progress_ns: int = PROGRESS_NS) -> None:
        self.session = session
        self.clock = clock.BatchClock()
        self.busy = False
        self._settings = settings
        self._progress_ns = progress_ns
        self._ids = ids.preset_ids(session.tracer)
        self._ring = ring.BatchRing()
        self._lock = threading.Lock()
        self._costs = {"spans": 0, "drain": 0, "hooks": 0}
        self.instruments = Instruments(session, self._drain_from_exporter, lambda: self._costs)
        self._entries = -1
        self._arrived: list[WorkerTiming] = []
        self._groups: deque[list[WorkerTiming]] = deque()
        self._reset()

    def _reset(self) -> None:
        self._run: RunTrace | None = None
        self._loop: Loop | None = None
        self._outer: list[Loop] = []
        self._done: list[LoopSummary] = []
        self._loops = -1
        self._open = False
        self._batch_start = 0
        self._interrupted_at = 0
        self._batch_idx = -1
        self._dataloader_idx: int | None = None
        self._samples = 0
        self._planned: Kept | None = None
        self._workers: list[WorkerTiming] = []
        self._exemplars: list[ExemplarPoint] = []
        self._token: Any = None
        self._first_batch_at: int | None = None
        self._checkpoint_ns = 0
        self._step_of: Callable[[], int] = lambda: 0
        self._hooks: list[clock.HookContext] = []
        self._detectors: dict[Stage, sampling.SlowDetector] = {}
        self._arrived.clear()
        self._groups.clear()

    # --- the entry ----------------------------------------------------------------------------------------------------

    def begin_entry(
        self,
        entry: str,
        configuration: Mapping[str, Any],
        stages: tuple[Stage, ...],
        global_step: Callable[[], int],
        judge: Judge,
    ) -> None:
        """Begin a `fit`, `validate`, `test` or `predict`.

        Args:
            entry: Its name.
            configuration: Attributes of `<entry>.start`.
            stages: Stages that it may have.
            global_step: Returns the optimiser steps so far.
            judge: Gives the verdict's attributes.
        """
        self._reset()
        self.busy = True
        self._entries += 1
        self._judge = judge
        self._step_of = global_step
        self._entry = entry
        self._entry_start = perf_counter_ns()
        self._offset = time.time_ns() - self._entry_start
        self._run = RunTrace(self.session.tracer, entry, self._unix(self._entry_start), configuration)
        self._entry_token = attach(self._run_context())
        self.instruments.begin_entry(stages)

    def end_entry(self, outcome: Outcome, error: BaseException | None = None, mfu: float | None = None) -> EntrySummary:
        """End the entry and what is open in it; deliver it within the bound.

        Args:
            outcome: How it ended.
            error: The exception that ended it.
            mfu: Model FLOPs utilisation, where known.
        """
        self.close_batch(perf_counter_ns(), error)
        while self._loop is not None:
            self.end_loop({}, failed=error is not None)
        run = self._run
        assert run is not None
        end = perf_counter_ns()
        summary = self._entry_summary(outcome, end, mfu)
        run.end(self._unix(end), self._entry_attributes(summary), error, outcome is not Outcome.COMPLETED)
        detach(self._entry_token)
        self.instruments.end_entry(outcome)
        self.session.flush()
        self.busy = False
        self._run = None
        return summary

    def _entry_summary(self, outcome: Outcome, end: int, mfu: float | None) -> EntrySummary:
        wall = (end - self._entry_start) / 1e9
        epochs = [each for each in self._done if each.stage is Stage.TRAIN]
        useful = sum(
            each.phases[phase]
            for each in epochs
            for phase in (Phase.TRANSFER, Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER)
        )
        first = self._first_batch_at
        return EntrySummary(
            entry=self._entry,
            outcome=str(outcome),
            wall=wall,
            epochs=tuple(epochs or self._done),
            time_to_first_batch=None if first is None else (first - self._entry_start) / 1e9,
            goodput=useful / wall if epochs and wall > 0 else None,
            mfu=mfu,
            spans_lost=sum(self.session.spans_lost().values()),
            destination=self.session.where(),
            directory=str(self.session.directory or ""),
        )

    def _entry_attributes(self, summary: EntrySummary) -> dict[str, Any]:
        attributes: dict[str, Any] = {
            semconv.OUTCOME: summary.outcome,
            semconv.BATCHES: sum(each.batches for each in summary.epochs),
            semconv.SAMPLES: sum(each.samples for each in summary.epochs),
        }
        if self._entry == semconv.FIT and summary.epochs:
            attributes |= self._judge(summary.epochs, summary.wall)
        for name, value in (
            (semconv.TIME_TO_FIRST_BATCH, summary.time_to_first_batch),
            (semconv.GOODPUT, summary.goodput),
            (semconv.MFU, summary.mfu),
        ):
            if value is not None:
                attributes[name] = value
        return attributes

    # --- epochs and validations ---------------------------------------------------------------------------------------

    def begin_loop(self, stage: Stage, epoch: int, total_batches: float) -> None:
        """Begin an epoch, a validation, or the one loop of `validate`, `test` and `predict`."""
        now = perf_counter_ns()
        self.close_batch(now)
        run = self._run
        assert run is not None
        if self._interrupted_at and stage is Stage.VALIDATE:
            # Lightning makes the loaders' iterators, and starts their workers, before it calls the first hook.
            now = self._interrupted_at
        self._loops += 1
        attributes = {semconv.STAGE: str(stage), semconv.EPOCH: epoch}
        with self._lock:
            self._drain()
            if self._loop is not None:
                self._outer.append(self._loop)
            parent = self._loop.span if self._loop is not None else None
            own_span = self._entry == semconv.FIT
            if not own_span:
                span = run.root
            elif stage is Stage.TRAIN:
                span = run.begin_epoch(self._unix(now), attributes)
            else:
                span = run.begin(_SPAN_BY_STAGE[stage], self._unix(now), attributes, parent)
            self._loop = Loop(
                stage=stage,
                epoch=epoch,
                start=now,
                span=span,
                own_span=own_span,
                total_batches=total_batches,
                settings=self._settings,
                detector=self._detector(stage),
                number=self._loops,
                next_progress=now + self._progress_ns,
            )
            # Spans of the application inside batches that are not kept are dropped: they inherit an unsampled parent.
            self._loop.token = attach(batch_trace.root_context(*self._ids_of(0, 0), sampled=False))

    def end_loop(self, logged: Mapping[str, float], failed: bool = False, skipped_steps: int = 0) -> LoopSummary | None:
        """End the innermost loop; return what it added up to, None where there is none."""
        now = perf_counter_ns()
        self.close_batch(now)
        loop = self._loop
        run = self._run
        if loop is None or run is None:
            return None
        detach(loop.token)
        with self._lock:
            self._drain()
            summary = loop.summary(now, self._hooks, skipped_steps)
            self._loop = self._outer.pop() if self._outer else None
            if self._loop is not None:
                self._loop.nested_ns += now - loop.start
        self._done.append(summary)
        self.instruments.loop_done(loop.stage, summary.wall)
        self.instruments.log(dict(logged))
        attributes = loop_attributes(summary)
        attributes |= {semconv.LOGGED_PREFIX + name: value for name, value in logged.items()}
        attributes[semconv.GLOBAL_STEP] = self.instruments.global_step = self._step_of()
        if loop.stage is Stage.TRAIN:
            attributes |= self._judge((summary,), summary.wall)
        loop.span.set_attributes(attributes)
        for context in loop.slowest():
            loop.span.add_link(context)
        if loop.own_span:
            if failed:
                batch_trace.mark_failed(loop.span)
            loop.span.end(self._unix(now))
        return summary

    # --- the batch path -----------------------------------------------------------------------------------------------

    def fetch_begins(self, now: int) -> None:
        """The loop asks for data: the batch before is over and the next begins."""
        if self._open:
            self._finish(now, None)
        if self._arrived:
            # Data that Lightning fetched ahead of the loop belongs to an earlier batch than what comes now.
            self._groups.append(self._arrived[:])
            self._arrived.clear()
        self._open = True
        self._batch_idx = -1
        self._batch_start = now
        self._interrupted_at = 0
        self.clock.reset()

    def fetch_ends(self) -> None:
        """The data is there."""
        if self._arrived:
            self._groups.append(self._arrived[:])
            self._arrived.clear()

    def batch_begins(self, batch_idx: int, dataloader_idx: int | None, samples: int) -> None:
        """The batch is on its device and its step is about to run."""
        loop = self._loop
        if loop is None:
            return
        if not self._open:
            # A loop whose fetches are not seen (the module takes the iterator itself) still has batches.
            self.fetch_begins(perf_counter_ns())
        self._batch_idx = batch_idx
        self._dataloader_idx = dataloader_idx
        self._samples = samples
        if self._groups:
            self._workers = self._groups.popleft()
            loop.timings += self._workers
        if self._first_batch_at is None and loop.stage is Stage.TRAIN:
            self._first_batch_at = perf_counter_ns()
        planned = sampling.planned(batch_idx, loop.every, loop.budget, loop.unknown_length)
        self._planned = planned
        if planned is not None:
            self._token = attach(batch_trace.root_context(*self._ids_of(batch_idx, dataloader_idx or 0), sampled=True))

    def close_batch(self, now: int, error: BaseException | None = None) -> None:
        """End the batch that runs, if one does: validation begins, the epoch ends, or an exception came."""
        if self._open:
            self._finish(now, error)

    def interrupted(self, now: int) -> None:
        """A validation is about to interrupt the training."""
        self.close_batch(now)
        self._interrupted_at = now

    def _finish(self, now: int, error: BaseException | None) -> None:
        self._open = False
        loop = self._loop
        if loop is None or self._batch_idx < 0:
            # A fetch that found the end of the data is no batch.
            return
        start = self._batch_start
        duration = now - start
        waiting = self._ring.write(self._samples, start, duration, self.clock.exclusive)
        slow = loop.detector.is_slow(duration)
        planned = self._planned
        if planned is not None or slow or error is not None:
            self._keep(loop, now, planned, slow, error)
        self._workers = _NO_WORKERS
        if waiting >= DRAIN_ROWS:
            began = perf_counter_ns()
            with self._lock:
                self._drain()
            self._costs["drain"] += perf_counter_ns() - began
        if now > loop.next_progress:
            self._progress(loop, now)

    def _keep(self, loop: Loop, now: int, planned: Kept | None, slow: bool, error: BaseException | None) -> None:
        began = perf_counter_ns()
        if self._token is not None:
            detach(self._token)
            self._token = None
        if error is not None:
            kept = Kept.ERROR
        elif slow and loop.detector.may_keep(now):
            kept = Kept.SLOW
        elif planned is not None:
            kept = planned
        else:
            return
        record = self.clock
        duration = now - self._batch_start
        median = loop.detector.median
        phases = {phase: record.exclusive[code] for code, phase in _PHASE_OF_CODE}
        phases[Phase.LOOP] = max(0, duration - sum(record.exclusive))
        intervals = record.intervals
        trace_id, span_id = self._ids_of(self._batch_idx, self._dataloader_idx or 0)
        context = batch_trace.emit(
            self.session.tracer,
            self._ids,
            KeptBatch(
                stage=loop.stage,
                kept=kept,
                epoch=loop.epoch,
                batch_idx=self._batch_idx,
                dataloader_idx=self._dataloader_idx,
                global_step=self._step_of(),
                samples=self._samples,
                start=self._batch_start,
                end=now,
                ratio=duration / median if median else None,
                phases=phases,
                intervals=[(intervals[at], intervals[at + 1], intervals[at + 2]) for at in range(0, record.used, 3)],
                workers=self._workers,
                error=error,
            ),
            trace_id,
            span_id,
            Link(loop.span.get_span_context()),
            self._offset,
        )
        loop.keep(duration, context)
        if context.trace_flags.sampled:
            self._exemplars.append(ExemplarPoint(duration / 1e9, self._unix(now), context.trace_id, context.span_id))
        self._planned = None
        self._costs["spans"] += perf_counter_ns() - began

    # --- what happens beside ------------------------------------------------------------------------------------------

    def worker_timing(self, timing: WorkerTiming) -> None:
        """Take what a dataloader did for a batch that the loop has just fetched."""
        self._arrived.append(timing)

    def hook_context(self, code: int, name: str) -> clock.HookContext:
        """Make a context for a callback or hook, whose total is compared with the others' at an epoch's end."""
        context = clock.HookContext(self.clock, code, name)
        self._hooks.append(context)
        return context

    def checkpoint_saved(self, start: int, end: int, file: str, size: int | None) -> None:
        """A checkpoint was written."""
        attributes: dict[str, Any] = {semconv.CHECKPOINT_FILE: file}
        if size is not None:
            attributes[semconv.CHECKPOINT_SIZE_ATTR] = size
        self._checkpoint(semconv.CHECKPOINT_SAVE, start, end, attributes)
        loop = self._loop
        if loop is not None:
            loop.checkpoint_ns += end - start
        self.instruments.checkpoint_done((end - start) / 1e9, size)

    def checkpoint_loaded(self, start: int, end: int, file: str) -> None:
        """A checkpoint was restored."""
        self._checkpoint(semconv.CHECKPOINT_LOAD, start, end, {semconv.CHECKPOINT_FILE: file})

    def add_cost(self, part: str, nanoseconds: int) -> None:
        """Count time that our own hooks took."""
        self._costs[part] += nanoseconds

    def _checkpoint(self, name: str, start: int, end: int, attributes: Mapping[str, Any]) -> None:
        if self._run is not None:
            parent = self._loop.span if self._loop is not None else None
            self._run.add(name, self._unix(start), self._unix(end), attributes, parent)

    def _progress(self, loop: Loop, now: int) -> None:
        run = self._run
        if run is None:
            return
        with self._lock:
            self._drain()
        begun = int(loop.next_progress) - self._progress_ns
        summary = loop.progress_summary(now, begun)
        attributes = {semconv.STAGE: str(loop.stage), semconv.EPOCH: loop.epoch, **loop_attributes(summary)}
        links = [Link(loop.span.get_span_context())]
        run.add(semconv.TRAIN_EPOCH_PROGRESS, self._unix(begun), self._unix(now), attributes, loop.span, links)
        loop.next_progress = now + self._progress_ns

    def _drain_from_exporter(self) -> None:
        # The exporter's thread must never wait for the training thread longer than a drain takes.
        if self.busy and os.getpid() == self.session.pid:
            with self._lock:
                self._drain()

    def _drain(self) -> None:
        loop = self._loop
        if loop is None:
            self._ring.read = self._ring.written
            return
        timings, loop.timings = loop.timings, []
        if timings:
            self.instruments.workers_done(loop.stage, timings)
        rows = self._ring.take()
        if not len(rows):
            return
        exemplars, self._exemplars = self._exemplars, []
        phases = phase_nanoseconds(rows)
        loop.add(rows, phases)
        self.instruments.batches_done(loop.stage, rows, phases, exemplars)
        self.instruments.epoch = loop.epoch
        self.instruments.last_batch_unix = self._unix(int(rows[-1, ring.START] + rows[-1, ring.DURATION])) / 1e9

    def _detector(self, stage: Stage) -> sampling.SlowDetector:
        return self._detectors.setdefault(stage, sampling.SlowDetector(self._settings.slow_batch_ratio))

    def _ids_of(self, batch_idx: int, dataloader_idx: int) -> tuple[int, int]:
        identity = self.session.identity
        loop = self._loop.number if self._loop is not None else self._loops
        trace_id = ids.batch_trace_id(identity.run_id, self._entries, loop, dataloader_idx, batch_idx)
        return trace_id, ids.batch_span_id(trace_id, identity.rank)

    def _run_context(self) -> Context:
        assert self._run is not None
        return batch_trace.span_context(self._run.root)

    def _unix(self, monotonic: int) -> int:
        return monotonic + self._offset


_NO_WORKERS: Final[list[WorkerTiming]] = []
_PHASE_OF_CODE: Final = (
    (clock.FETCH, Phase.FETCH),
    (clock.TRANSFER, Phase.TRANSFER),
    (clock.FORWARD, Phase.FORWARD),
    (clock.BACKWARD, Phase.BACKWARD),
    (clock.OPTIMIZER, Phase.OPTIMIZER),
    (clock.CALLBACKS, Phase.CALLBACKS),
)

_current: Recorder | None = None


def recorder_for(session: Session, settings: Settings) -> Recorder:
    """Return the recorder of a process's session; instruments exist once, however many Trainers there are."""
    global _current
    if _current is None or _current.session is not session:
        _current = Recorder(session, settings)
    return _current
