"""Follows one Trainer entry: its epochs, validations and checkpoints, and the metrics made of drained batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter_ns
from typing import Any, Final, Protocol

from opentelemetry.context import attach, detach
from opentelemetry.trace import Link, Span

from ocr_otel import semconv
from ocr_otel.ranks import Told
from ocr_otel.recording import batch_trace, sampling
from ocr_otel.recording.background import Background
from ocr_otel.recording.batch_path import BatchPath
from ocr_otel.recording.checkpoints import Checkpoints
from ocr_otel.recording.drain import Drain
from ocr_otel.recording.entries import entry_attributes, entry_summary
from ocr_otel.recording.finished import FinishedLoops
from ocr_otel.recording.instruments import Instruments
from ocr_otel.recording.judgement import Judge, Judgement
from ocr_otel.recording.loop import Loop, loop_attributes
from ocr_otel.recording.origin import Origin
from ocr_otel.recording.run_trace import RunTrace
from ocr_otel.recording.summaries import EntrySummary, Interruptions, LoopSummary
from ocr_otel.recording.surroundings import Around, Surroundings
from ocr_otel.recording.vitals import Vitals
from ocr_otel.semconv import Outcome, ProfileMode, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import Session
from ocr_otel.telemetry.failures import report

PROGRESS_NS: Final = 600_000_000_000
"""An epoch longer than ten minutes is reported in parts of ten minutes."""

NO_INTERRUPTIONS: Final = Interruptions()
_SPAN_BY_STAGE: Final = {Stage.VALIDATE: semconv.VALIDATION, Stage.SANITY_CHECK: semconv.SANITY_CHECK}


class Ranks(Protocol):
    """Tells other ranks of the epoch that runs, and learns from them. It does not fail."""

    def loop_begins(self, entry: int, loop: int) -> None:
        """An epoch begins, with its number in the entry and the number of that."""

    def beside(self, told: Told) -> None:
        """Tell and learn what there is, beside the training."""

    def loop_ends(self, told: Told) -> Mapping[str, Any]:
        """Return what is known at the end of an epoch, as attributes."""


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
        entries: Its number, from 0.
        known: What is known of the entry's configuration, as attributes.
        vitals: What the process's watchdog sees.
        ranks: The other ranks of the entry; None where there are none, or nothing is told to them.
        settings: The settings of the entry that runs, or runs next.
        of_loop: The attributes of the loop that ended last.
        trackers_ns: How long the training stood still for experiment trackers that are told of it, nanoseconds.
    """

    def __init__(self, session: Session, settings: Settings, progress_ns: int = PROGRESS_NS) -> None:
        self.session = session
        self.busy: bool = False
        self.worker_ids: dict[int, int] = {}
        self.profiler_ns = 0
        self.entry: str = ""
        self.known: dict[str, Any] = {}
        self.ranks: Ranks | None = None
        self._outer: list[Loop] = []
        self._token: Any = None
        self._around = Around(None, self.failed_beside)
        self._said: set[str] = set()
        self.settings = settings
        self.of_loop: Mapping[str, Any] = {}
        self.trackers_ns = 0
        self._progress_ns = progress_ns
        self.path: BatchPath = BatchPath(session, lambda: self._drain.take(), self._progress, self.failed_beside)
        self.instruments: Instruments = Instruments(
            session, lambda: self._drain.collected(), self._costs, self.failed_beside
        )
        self._drain = Drain(session, self.path, self.instruments, self.failed_beside)
        self.vitals: Vitals = Vitals(session.cells)
        self._background = Background({"background": self._drain.beside, "vitals": self._look}, self.failed_beside)
        self.entries: int = -1
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
        origin: Origin | None = None,
    ) -> Span:
        """Begin a `fit`, `validate`, `test` or `predict`.

        Args:
            entry: Its name.
            configuration: Attributes of `<entry>.start`.
            stages: Stages that it may have.
            global_step: Returns the optimiser steps so far.
            judge: Gives the verdict.
            surroundings: Say what devices, processes and I/O were doing meanwhile; None where nothing is read.
            origin: Where it comes from.

        Returns:
            Its span.
        """
        self.busy = True
        self.ranks = None
        self._of_ranks: Mapping[str, Any] = {}
        self._around = Around(surroundings, self.failed_beside)
        self.entries += 1
        self.entry = entry
        self._judge = judge
        self.known = dict(configuration)
        self._global_step = global_step
        self._outer = []
        self._finished = FinishedLoops()
        self._loops = -1
        self._detectors: dict[Stage, sampling.SlowDetector] = {}
        self._start = perf_counter_ns()
        self._offset = time.time_ns() - self._start
        told = {**self.session.who, **configuration}
        self._run = RunTrace(self.session.tracer, entry, self._unix(self._start), told, origin or Origin())
        self._run.root.set_attributes(self.session.who)
        self._token = attach(batch_trace.span_context(self._run.root))
        self.checkpoints: Checkpoints = Checkpoints(self._run, self.path, self.instruments, self._unix)
        self.path.begin_entry(self.entries, global_step)
        self._drain.begin_entry(self.entries, self._offset, self._around)
        self.vitals.entry_begins(self.entries, self._offset)
        self.instruments.begin_entry(stages)
        self._background.start()
        try:
            self.session.entry_begins()
        except (OSError, RuntimeError) as error:
            self.failed_beside("stacks", error)
        return self._run.root

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
        self._stop_background()
        self._drain.end_entry()
        end = perf_counter_ns()
        summary = self._summary(outcome, end, mfu)
        for cause, number in self.session.spans_lost().items():
            self._run.root.add_event(semconv.LOST_EVENT, {semconv.CAUSE: cause, semconv.LOST_SPANS: number})
        judged = self._judged_entry(summary, end)
        attributes = entry_attributes(summary, judged.attributes) | dict(self._around.of_entry()) | dict(self._of_ranks)
        self._run.end(self._unix(end), attributes, error, outcome is not Outcome.COMPLETED)
        self.vitals.entry_ends()
        self._detach()
        self.instruments.end_entry(outcome)
        self.session.flush()
        self.busy = False
        return replace(summary, spans_lost=sum(self.session.spans_lost().values()), causes=judged.causes)

    @property
    def root(self) -> Span | None:
        """The span of the entry that runs; None between entries."""
        return self._run.root if self.busy else None

    def describe(self, configuration: Mapping[str, Any]) -> None:
        """Add what is known of the configuration only when the entry has begun to its span."""
        self.known |= configuration
        self._run.root.set_attributes(configuration)
        self.session.changed(self._run.root)

    def event(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Put an event of now on the entry's span."""
        self._run.root.add_event(name, attributes, self._unix(perf_counter_ns()))
        self.session.changed(self._run.root)

    def begin_profile(self, mode: ProfileMode, loop: Loop) -> Span:
        """Begin and count the span of a window of the profiler that opens in a loop."""
        self.instruments.profiled(mode)
        attributes = {semconv.STAGE: str(loop.stage), semconv.EPOCH: loop.epoch, semconv.PROFILE_MODE: str(mode)}
        return self._run.begin(semconv.PROFILE, self._unix(perf_counter_ns()), attributes, loop.span)

    def failed_beside(self, cause: str, error: Exception) -> None:
        """Log once and count what failed of what the training does not wait for."""
        report(self._said, cause, error)
        self.instruments.error(cause)

    def abandon(self, failed: bool = False) -> None:
        """Stop recording the entry as it is, after failures of ours; what the application does now is no part of it.

        Args:
            failed: Whether the training itself has failed: what is open ends with status ERROR.
        """
        self.busy = False
        loops = [*self._outer, *([self.path.loop] if self.path.loop is not None else [])]
        self.path.loop = None
        self._outer = []
        for action in (
            self.path.detach,
            # It leaves the contexts of loops too: it goes back to the one from before the entry.
            self._detach,
            self._stop_background,
            self._drain.end_entry,
            self.vitals.entry_ends,
            lambda: self._end_trace(loops, failed),
        ):
            try:
                action()
            except Exception as error:
                self.failed_beside("abandon", error)

    def _end_trace(self, loops: list[Loop], failed: bool) -> None:
        self.instruments.active = 0
        now = self._unix(perf_counter_ns())
        for span in (*(loop.span for loop in reversed(loops) if loop.own_span), self._run.root):
            if span.is_recording():
                if failed:
                    batch_trace.mark_failed(span)
                span.end(now)

    def _stop_background(self) -> None:
        with self.session.patience.spending() as seconds:
            self._background.stop(seconds)

    def _detach(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            detach(token)

    def _look(self) -> None:
        self.vitals.look(time.time_ns(), self.path.loop, self._global_step())
        ranks = self.ranks
        if ranks is not None:
            running = (*self._outer, *([self.path.loop] if self.path.loop is not None else []))
            epoch = next((loop for loop in running if loop.stage is Stage.TRAIN), None)
            if epoch is not None:
                ranks.beside(self._told(epoch))

    def _told(self, epoch: Loop) -> Told:
        return Told(*epoch.so_far(), self._offset)

    def _summary(self, outcome: Outcome, end: int, mfu: float | None) -> EntrySummary:
        return entry_summary(
            entry=self.entry,
            outcome=outcome,
            start=self._start,
            end=end,
            done=tuple(self._finished),
            first_batch_at=self.path.first_batch_at,
            checkpoint_ns=self.checkpoints.outside_ns,
            mfu=mfu,
            destination=self.session.where(),
            directory=str(self.session.run_directory or ""),
            straggler=str(self._of_ranks.get(semconv.STRAGGLER_SUMMARY, "")),
        )

    def _judged_entry(self, summary: EntrySummary, end: int) -> Judgement:
        if self.entry != semconv.FIT or not summary.epochs:
            return Judgement()
        samples = sum(epoch.samples for epoch in summary.epochs)
        around = {**self._around.of_loop(self._start, end, samples), **self._of_ranks}
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
            now, self.path.interrupted_at = self.path.interrupted_at, 0
        self._loops += 1
        own_span = self.entry == semconv.FIT
        loop = Loop(
            stage=stage,
            epoch=epoch,
            start=now,
            span=self._begin_span(stage, epoch, now) if own_span else self._run.root,
            own_span=own_span,
            total_batches=total_batches,
            settings=self.settings,
            detector=self._detectors.setdefault(stage, sampling.SlowDetector(self.settings.slow_batch_ratio)),
            number=self._loops,
            next_progress=now + self._progress_ns,
            count_always=count_always,
        )
        self._drain.catch_up()
        if self.path.loop is not None:
            self._outer.append(self.path.loop)
        self.path.enter_loop(loop, fetched_in_step)
        if stage is Stage.TRAIN and self.ranks is not None:
            self.ranks.loop_begins(self.entries, self._loops)
        self.vitals.loop_runs(loop)
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
        loop = self.path.loop
        if loop is None:
            self.path.close_batch(now)
            return None
        outer = self._outer.pop() if self._outer else None
        try:
            self._leave_loop(loop, outer, now)
            summary = self._sum_up(loop, outer, now, skipped_steps, interruptions)
            self.instruments.log(logged)
            self._end_span(loop, summary, now, logged, failed)
        finally:
            if loop.own_span and loop.span.is_recording():
                loop.span.end(self._unix(now))
        self._hook_cost += perf_counter_ns() - now
        return summary

    def _leave_loop(self, loop: Loop, outer: Loop | None, now: int) -> None:
        try:
            self.path.close_batch(now)
            self._drain.catch_up()
        finally:
            # Whatever fails, the loop is over: who ends an entry ends loop after loop until there is none.
            detach(loop.token)
            self.path.return_to_loop(outer)
        self.vitals.loop_runs(outer)

    def _sum_up(
        self, loop: Loop, outer: Loop | None, now: int, skipped_steps: int, interruptions: Interruptions
    ) -> LoopSummary:
        summary = loop.summary(now, self._drain.callbacks.slowest(), skipped_steps, interruptions)
        if loop.stage is Stage.TRAIN:
            self._drain.callbacks.forget()
        if outer is not None:
            outer.nested_ns += now - loop.start
            outer.nested += 1
        self._finished.add(summary)
        self.instruments.loop_done(loop.stage, summary.wall)
        self.instruments.steps_skipped(skipped_steps)
        return summary

    def _end_span(self, loop: Loop, summary: LoopSummary, now: int, logged: Mapping[str, float], failed: bool) -> None:
        attributes = loop_attributes(summary)
        attributes |= {semconv.LOGGED_PREFIX + name: value for name, value in logged.items()}
        attributes[semconv.GLOBAL_STEP] = self.instruments.global_step = self._global_step()
        around = dict(self._around.of_loop(loop.start, now, summary.samples))
        if loop.stage is Stage.TRAIN:
            if self.ranks is not None:
                self._of_ranks = self.ranks.loop_ends(self._told(loop)) or self._of_ranks
                around |= self._of_ranks
            attributes |= self._judged(loop.span, (summary,), summary.wall, around, now).attributes
            if semconv.MEMORY_RSS in attributes:
                self._around.epoch_ended(loop.epoch, attributes[semconv.MEMORY_RSS])
        attributes |= around
        self.of_loop = attributes
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
            "trackers": self.trackers_ns,
        }

    def _unix(self, monotonic: int) -> int:
        return monotonic + self._offset


_current: Recorder | None = None


def recorder_for(session: Session, settings: Settings) -> Recorder:
    """Return the recorder of a process's session; instruments exist once, however many Trainers there are."""
    global _current
    if _current is None or _current.session is not session:
        _current = Recorder(session, settings)
    elif not _current.busy:
        _current.settings = settings
    return _current
