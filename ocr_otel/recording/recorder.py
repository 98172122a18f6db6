"""Follows one Trainer entry: its epochs, validations and checkpoints, and the metrics made of drained batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter_ns
from typing import Any, Final

from opentelemetry.context import attach, detach
from opentelemetry.trace import Link, Span

from ocr_otel import semconv
from ocr_otel.recording import batch_trace, sampling
from ocr_otel.recording.background import Background
from ocr_otel.recording.batch_path import BatchPath
from ocr_otel.recording.checkpoints import Checkpoints
from ocr_otel.recording.drain import Drain
from ocr_otel.recording.entries import entry_attributes, entry_summary
from ocr_otel.recording.instruments import Instruments
from ocr_otel.recording.judgement import Judge, Judgement
from ocr_otel.recording.loop import Loop, loop_attributes
from ocr_otel.recording.run_trace import RunTrace
from ocr_otel.recording.summaries import EntrySummary, Interruptions, LoopSummary
from ocr_otel.recording.surroundings import Around, Surroundings
from ocr_otel.semconv import Outcome, ProfileMode, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import Session
from ocr_otel.telemetry.failures import report

PROGRESS_NS: Final = 600_000_000_000
"""An epoch longer than ten minutes is reported in parts of ten minutes."""

NO_INTERRUPTIONS: Final = Interruptions()
_SPAN_BY_STAGE: Final = {Stage.VALIDATE: semconv.VALIDATION, Stage.SANITY_CHECK: semconv.SANITY_CHECK}


class Recorder:
    """The recording of a process, for one Trainer entry at a time.

    Times are monotonic nanoseconds unless a name says otherwise. All methods here are called a few times an epoch;
    what is called for each batch is in `path`.

    Attributes:
        session: The process's telemetry.
        path: The batch path.
        instruments: The metrics.
        busy: Whether an entry is being recorded.
        checkpoints: The checkpoints of the entry.
        worker_ids: Ids of the dataloader workers that were started, by pid.
        profiler_ns: How long the training stood still for windows of the profiler, nanoseconds.
        entry: The entry that runs, or ran last.
        known: What is known of the entry's configuration, as attributes.
    """

    def __init__(self, session: Session, settings: Settings, progress_ns: int = PROGRESS_NS) -> None:
        self.session = session
        self.busy = False
        self.worker_ids: dict[int, int] = {}
        self.profiler_ns = 0
        self.entry = ""
        self.known: dict[str, Any] = {}
        self._around = Around(None, self.failed_beside)
        self._said: set[str] = set()
        self._settings = settings
        self._progress_ns = progress_ns
        self.path = BatchPath(session, lambda: self._drain.take(), self._progress)
        self.instruments = Instruments(session, lambda: self._drain.collected(), self._costs)
        self._drain = Drain(session, self.path, self.instruments, self.failed_beside)
        self._background = Background(self._drain.beside, self.failed_beside)
        self._entries = -1
        self._hook_cost = 0

    # --- the entry ----------------------------------------------------------------------------------------------------

    def begin_entry(
        self,
        entry: str,
        configuration: Mapping[str, Any],
        stages: tuple[Stage, ...],
        global_step: Callable[[], int],
        judge: Judge,
        surroundings: Surroundings | None = None,
    ) -> None:
        """Begin a `fit`, `validate`, `test` or `predict`.

        Args:
            entry: Its name.
            configuration: Attributes of `<entry>.start`.
            stages: Stages that it may have.
            global_step: Returns the optimiser steps so far.
            judge: Gives the verdict.
            surroundings: Say what devices, processes and I/O were doing meanwhile; None where nothing is read.
        """
        self.busy = True
        self._around = Around(surroundings, self.failed_beside)
        self._entries += 1
        self.entry = entry
        self._judge = judge
        self.known = dict(configuration)
        self._global_step = global_step
        self._outer: list[Loop] = []
        self._done: list[LoopSummary] = []
        self._loops = -1
        self._detectors: dict[Stage, sampling.SlowDetector] = {}
        self._start = perf_counter_ns()
        self._offset = time.time_ns() - self._start
        self._run = RunTrace(self.session.tracer, entry, self._unix(self._start), configuration)
        self._token = attach(batch_trace.span_context(self._run.root))
        self.checkpoints = Checkpoints(self._run, self.path, self.instruments, self._unix)
        self.path.begin_entry(self._entries, global_step)
        self._drain.begin_entry(self._entries, self._offset, self._around)
        self.instruments.begin_entry(stages)
        self._background.start()

    def end_entry(self, outcome: Outcome, error: BaseException | None = None, mfu: float | None = None) -> EntrySummary:
        """End the entry and what is open in it; deliver it within the bound.

        Args:
            outcome: How it ended.
            error: The exception that ended it.
            mfu: Model FLOPs utilisation, where known.
        """
        self.path.close_batch(perf_counter_ns(), error)
        while self.path.loop is not None:
            self.end_loop({}, failed=error is not None)
        self._background.stop()
        self._drain.end_entry()
        end = perf_counter_ns()
        summary = self._summary(outcome, end, mfu)
        for cause, number in self.session.spans_lost().items():
            self._run.root.add_event(semconv.LOST_EVENT, {semconv.CAUSE: cause, semconv.LOST_SPANS: number})
        judged = self._judged_entry(summary, end)
        attributes = entry_attributes(summary, judged.attributes) | dict(self._around.of_entry())
        self._run.end(self._unix(end), attributes, error, outcome is not Outcome.COMPLETED)
        detach(self._token)
        self.instruments.end_entry(outcome)
        self.session.flush()
        self.busy = False
        return replace(summary, spans_lost=sum(self.session.spans_lost().values()), causes=judged.causes)

    def describe(self, configuration: Mapping[str, Any]) -> None:
        """Add what is known of the configuration only when the entry has begun to its span."""
        self.known |= configuration
        self._run.root.set_attributes(configuration)

    def event(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Put an event of now on the entry's span."""
        self._run.root.add_event(name, attributes, self._unix(perf_counter_ns()))

    def begin_profile(self, mode: ProfileMode, loop: Loop) -> Span:
        """Begin and count the span of a window of the profiler that opens in a loop."""
        self.instruments.profiled(mode)
        attributes = {semconv.STAGE: str(loop.stage), semconv.EPOCH: loop.epoch, semconv.PROFILE_MODE: str(mode)}
        return self._run.begin(semconv.PROFILE, self._unix(perf_counter_ns()), attributes, loop.span)

    def failed_beside(self, cause: str, error: Exception) -> None:
        """Log once and count what failed of what the training does not wait for."""
        report(self._said, cause, error)
        self.instruments.error(cause)

    def abandon(self) -> None:
        """Stop recording the entry as it is, after failures of ours."""
        self.busy = False
        self.path.loop = None
        self._background.stop()
        self._drain.end_entry()

    def _summary(self, outcome: Outcome, end: int, mfu: float | None) -> EntrySummary:
        return entry_summary(
            entry=self.entry,
            outcome=outcome,
            start=self._start,
            end=end,
            done=self._done,
            first_batch_at=self.path.first_batch_at,
            checkpoint_ns=self.checkpoints.outside_ns,
            mfu=mfu,
            destination=self.session.where(),
            directory=str(self.session.directory or ""),
        )

    def _judged_entry(self, summary: EntrySummary, end: int) -> Judgement:
        if self.entry != semconv.FIT or not summary.epochs:
            return Judgement()
        samples = sum(epoch.samples for epoch in summary.epochs)
        around = self._around.of_loop(self._start, end, samples)
        return self._judged(self._run.root, summary.epochs, summary.wall, around, end)

    def _judged(
        self, span: Span, epochs: tuple[LoopSummary, ...], wall: float, around: Mapping[str, Any], now: int
    ) -> Judgement:
        judgement = self._judge(epochs, wall, self.known | dict(around))
        judgement.tell(span, self._unix(now))
        return judgement

    # --- epochs and validations ---------------------------------------------------------------------------------------

    def begin_loop(
        self,
        stage: Stage,
        epoch: int,
        total_batches: float,
        fetched_in_step: bool = False,
        count_always: bool = False,
    ) -> None:
        """Begin an epoch, a validation, or the one loop of `validate`, `test` and `predict`.

        Args:
            stage: Lightning's running stage.
            epoch: The epoch it is in.
            total_batches: Its batches; infinite when unknown.
            fetched_in_step: Whether the module takes the iterator and fetches inside its step.
            count_always: Whether the samples of each batch are to be counted in it, whatever its dataloader was asked
                for.
        """
        now = perf_counter_ns()
        self.path.close_batch(now)
        if self.path.interrupted_at and stage is Stage.VALIDATE:
            # Lightning makes the loaders' iterators, and starts their workers, before it calls the first hook.
            now = self.path.interrupted_at
        self._loops += 1
        own_span = self.entry == semconv.FIT
        loop = Loop(
            stage=stage,
            epoch=epoch,
            start=now,
            span=self._begin_span(stage, epoch, now) if own_span else self._run.root,
            own_span=own_span,
            total_batches=total_batches,
            settings=self._settings,
            detector=self._detectors.setdefault(stage, sampling.SlowDetector(self._settings.slow_batch_ratio)),
            number=self._loops,
            next_progress=now + self._progress_ns,
            count_always=count_always,
        )
        self._drain.catch_up()
        if self.path.loop is not None:
            self._outer.append(self.path.loop)
        self.path.enter_loop(loop, fetched_in_step)
        # Spans of the application inside batches that are not kept are dropped: they inherit an unsampled parent.
        root = loop.span.get_span_context()
        loop.token = attach(batch_trace.root_context(root.trace_id, root.span_id, sampled=False))

    def _begin_span(self, stage: Stage, epoch: int, now: int) -> Span:
        attributes = {semconv.STAGE: str(stage), semconv.EPOCH: epoch}
        if stage is Stage.TRAIN:
            return self._run.begin_epoch(self._unix(now), attributes)
        parent = self.path.loop.span if self.path.loop is not None else None
        return self._run.begin(_SPAN_BY_STAGE[stage], self._unix(now), attributes, parent)

    def end_loop(
        self,
        logged: Mapping[str, float],
        failed: bool = False,
        skipped_steps: int = 0,
        interruptions: Interruptions = NO_INTERRUPTIONS,
    ) -> LoopSummary | None:
        """End the innermost loop.

        Args:
            logged: What the module logged in it.
            failed: Whether an exception ended it.
            skipped_steps: Optimiser steps that a gradient scaler skipped in it.
            interruptions: What held the training up beside its batches.

        Returns:
            What it added up to; None where there is no loop.
        """
        now = perf_counter_ns()
        self.path.close_batch(now)
        loop = self.path.loop
        if loop is None:
            return None
        detach(loop.token)
        self._drain.catch_up()
        outer = self._outer.pop() if self._outer else None
        self.path.return_to_loop(outer)
        summary = loop.summary(now, self._drain.callbacks.slowest(), skipped_steps, interruptions)
        if loop.stage is Stage.TRAIN:
            self._drain.callbacks.forget()
        if outer is not None:
            outer.nested_ns += now - loop.start
            outer.nested += 1
        self._done.append(summary)
        self.instruments.loop_done(loop.stage, summary.wall)
        self.instruments.log(logged)
        self.instruments.steps_skipped(skipped_steps)
        self._end_span(loop, summary, now, logged, failed)
        self._hook_cost += perf_counter_ns() - now
        return summary

    def _end_span(self, loop: Loop, summary: LoopSummary, now: int, logged: Mapping[str, float], failed: bool) -> None:
        attributes = loop_attributes(summary)
        attributes |= {semconv.LOGGED_PREFIX + name: value for name, value in logged.items()}
        attributes[semconv.GLOBAL_STEP] = self.instruments.global_step = self._global_step()
        around = self._around.of_loop(loop.start, now, summary.samples)
        if loop.stage is Stage.TRAIN:
            attributes |= self._judged(loop.span, (summary,), summary.wall, around, now).attributes
            self._around.epoch_ended(loop.epoch, attributes[semconv.MEMORY_RSS])
        attributes |= around
        loop.span.set_attributes(attributes)
        for context in loop.slowest():
            loop.span.add_link(context)
        if loop.own_span:
            if failed:
                batch_trace.mark_failed(loop.span)
            loop.span.end(self._unix(now))

    def _progress(self, loop: Loop, now: int) -> None:
        self._drain.catch_up()
        begun = int(loop.next_progress) - self._progress_ns
        summary = loop.progress_summary(now, begun)
        attributes = {semconv.STAGE: str(loop.stage), semconv.EPOCH: loop.epoch, **loop_attributes(summary)}
        links = [Link(loop.span.get_span_context())]
        self._run.add(semconv.TRAIN_EPOCH_PROGRESS, self._unix(begun), self._unix(now), attributes, loop.span, links)
        loop.next_progress = now + self._progress_ns

    def _costs(self) -> dict[str, int]:
        return {
            "batches": self.path.attend_cost,
            "hooks": self._hook_cost,
            "background": self._background.cpu_ns,
            "resources": self._around.cpu_ns(),
            "profiler": self.profiler_ns,
        }

    def _unix(self, monotonic: int) -> int:
        return monotonic + self._offset


_current: Recorder | None = None


def recorder_for(session: Session, settings: Settings) -> Recorder:
    """Return the recorder of a process's session; instruments exist once, however many Trainers there are."""
    global _current
    if _current is None or _current.session is not session:
        _current = Recorder(session, settings)
    return _current
