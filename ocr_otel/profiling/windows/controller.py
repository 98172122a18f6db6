"""Opens and closes windows of the profiler between two batches, by schedule, by anomaly and on request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter_ns
from typing import Final, Protocol

from opentelemetry.trace import SpanContext, TraceFlags

from ocr_otel import semconv
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.requests import Progress, Request, Standing, State
from ocr_otel.profiling.windows.asked import Ask, Mailbox, Tell
from ocr_otel.profiling.windows.files import TraceFiles
from ocr_otel.profiling.windows.results import ClosedWindow, JudgeWindow, Results
from ocr_otel.profiling.windows.schedule import Schedule
from ocr_otel.profiling.windows.torch_profiler import TorchWindow, other_profiler_runs
from ocr_otel.profiling.windows.window import OpenWindow
from ocr_otel.recording import Recorder
from ocr_otel.recording.loop import Loop
from ocr_otel.recording.sampling import NEVER
from ocr_otel.semconv import ProfileMode, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import rank_directory
from ocr_otel.telemetry.failures import logger

MAX_FAILURES: Final = 3
"""After so many windows that failed no more are opened in the entry."""
OTHER_PROFILER: Final = "another profiler of PyTorch is active in this training; ours stands back"
OFF_AFTER_FAILURES: Final = "the profiler failed several times in this training and is off for the rest of it"
NOT_ON_DEMAND: Final = "OCR_OTEL_PROFILE of this training is without on-demand"
ENDED: Final = "the training ended before a batch was recorded"


class Surface(Protocol):
    """What the windows need of the training."""

    def ranges(self, on: bool) -> None:
        """Let the parts of batches show in the trace, or no longer."""

    def profiled_by_user(self) -> bool:
        """Return whether the Trainer's own profiler is one of torch's."""


class WindowController:
    """The windows of one Trainer entry.

    What Lightning's loop calls (`BatchWatcher`) runs in the training thread and raises nothing; `standing` and `ask`
    may be called in any.

    Args:
        recorder: Records the entry.
        settings: The settings.
        surface: The training.
        judge: Judges what a window shows.
        failed: Takes a failure with its cause.

    Attributes:
        due_idx: See `BatchWatcher`.
        profiling: See `BatchWatcher`.
        results: What became of the windows that are over.
    """

    def __init__(
        self,
        recorder: Recorder,
        settings: Settings,
        surface: Surface,
        judge: JudgeWindow,
        failed: Callable[[str, Exception], None],
    ) -> None:
        identity = recorder.session.identity
        directory = recorder.session.directory or rank_directory(settings.runs_dir, identity).absolute()
        self.due_idx = NEVER
        self.profiling = False
        self._recorder = recorder
        self._settings = settings
        self._surface = surface
        self._failed = failed
        self._files = TraceFiles(directory, identity.rank, settings.profile_files_size)
        self.results = Results(self._files, judge, failed)
        self._schedule = Schedule(settings)
        self._mailbox = Mailbox(self._poke)
        self._asks: list[Ask] = []
        self._window: OpenWindow | None = None
        self._window_asks: list[Ask] = []
        self._loop: Loop | None = None
        self._batch_idx = -1
        self._steps_before = 0
        self._steps_in_epoch = 0
        self._lasting_anomaly = False
        self._put_off: ProfileMode | None = None
        self._failures = 0
        self._number = 0
        self._said = False
        self._ended = False

    # --- asked from other threads -------------------------------------------------------------------------------------

    def standing(self) -> Standing:
        """Return where the training is."""
        identity, loop = self._recorder.session.identity, self._loop
        return Standing(
            run_id=identity.run_id,
            rank=identity.rank,
            world_size=identity.world_size,
            entry="" if self._ended else self._recorder.entry,
            steps=self._steps_now(),
            batch_seconds=loop.detector.median / 1e9 if loop is not None else 0.0,
        )

    def ask(self, request: Request, tell: Tell) -> None:
        """Ask for a window; see `requests.Windows`."""
        if ProfileMode.ON_DEMAND not in self._settings.profile:
            tell(Progress(State.REFUSED, message=NOT_ON_DEMAND))
        elif self._ended:
            tell(Progress(State.REFUSED, message=ENDED))
        else:
            self._mailbox.put(request, tell)

    def _poke(self) -> None:
        self._recorder.path.attend_at = 0

    # --- the training's thread ----------------------------------------------------------------------------------------

    def loop_entered(self, loop: Loop, batch_idx: int) -> None:
        """A loop begins, or goes on after its batch `batch_idx`."""
        self._safely(lambda: self._enter(loop, batch_idx))

    def loop_left(self, loop: Loop, batch_idx: int, over: bool) -> None:
        """A loop is interrupted, or over, after its batch `batch_idx`."""
        self._safely(lambda: self._leave(loop, batch_idx, over))

    def batch_ended(self, loop: Loop, batch_idx: int, began: int, now: int) -> None:
        """A batch is over; windows open, go on and close here."""
        if loop is self._loop and batch_idx > self._batch_idx:
            self._safely(lambda: self._after_batch(loop, batch_idx, now - began, now))

    def batches_done(self, loop: Loop, durations: Sequence[int]) -> None:
        """Batches were counted; in any thread."""
        anomalies = self._schedule.anomaly()
        if anomalies is not None and loop.stage is Stage.TRAIN and anomalies.further(durations, perf_counter_ns()):
            self._lasting_anomaly = True
            self._poke()

    def finish(self) -> None:
        """The training is over: close what is open, and wait for what is being read, within the bound."""
        self._ended = True
        self._safely(self._close_or_drop)
        for ask in self._asks + self._mailbox.take():
            ask.tell(Progress(State.FAILED, message=ENDED))
        self._asks = []
        self.due_idx = NEVER
        self.results.wait(self._settings.flush_timeout)

    def last(self) -> WindowProfile | None:
        """Return what the last window in the training's own batches showed."""
        return self.results.last(Stage.TRAIN)

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self._failures += 1
            self._failed("profiling", error)
            self._abandon(f"{type(error).__name__}: {error}")

    def _enter(self, loop: Loop, batch_idx: int) -> None:
        self._loop, self._batch_idx = loop, batch_idx
        self._count(loop, batch_idx)
        if batch_idx < 0:
            mode = self._schedule.at_beginning(loop.stage)
            if mode is not None:
                self._open(mode, loop, batch_idx, warmup=0)
            elif self._put_off is not None and loop.stage is Stage.TRAIN:
                self._open(self._put_off, loop, batch_idx, self._settings.profile_warmup)
                self._put_off = None
        self._look_ahead(loop, batch_idx)

    def _leave(self, loop: Loop, batch_idx: int, over: bool) -> None:
        self._close_or_drop()
        self._count(loop, batch_idx)
        if over and loop.stage is Stage.TRAIN:
            self._steps_before, self._steps_in_epoch = self._steps(), 0
        self._loop, self._batch_idx = None, -1

    def _close_or_drop(self) -> None:
        window = self._window
        if window is None:
            return
        if window.recorded:
            self._close(window)
            return
        # Nothing was recorded: who asked gets a window in the next loop.
        asks, self._window_asks = self._window_asks, []
        self._abandon("the loop ended before a batch was recorded")
        self._asks = asks + self._asks

    def _after_batch(self, loop: Loop, batch_idx: int, duration: int, now: int) -> None:
        self._batch_idx = batch_idx
        self._count(loop, batch_idx)
        window = self._window
        if window is not None:
            window.batch_ended(loop.epoch, batch_idx, duration, self._context(loop))
            self._tell_open(window)
            if window.full:
                self._close(window)
        self._receive()
        if batch_idx + 1 >= loop.total_batches:
            # A window that opened now would see no batch: it opens with the next epoch.
            self._put_off = self._schedule.after(loop.stage, self._steps()) or self._put_off
        elif self._window is None:
            due = [ask for ask in self._asks if self._is_due(ask.request.at_step, loop)]
            mode = ProfileMode.ON_DEMAND if due else self._of_itself(loop, batch_idx, duration, now, window is not None)
            if mode is not None:
                self._asks = [ask for ask in self._asks if ask not in due]
                self._window_asks = due
                self._open(mode, loop, batch_idx, self._settings.profile_warmup, due)
        self._look_ahead(loop, batch_idx)

    def _of_itself(self, loop: Loop, batch_idx: int, duration: int, now: int, profiled: bool) -> ProfileMode | None:
        mode = self._schedule.after(loop.stage, self._steps())
        if mode is not None:
            return mode
        anomalies = self._schedule.anomaly()
        if anomalies is None or loop.stage is not Stage.TRAIN or profiled:
            return None
        lasting, self._lasting_anomaly = self._lasting_anomaly, False
        if lasting or anomalies.batch(batch_idx, duration, loop.detector.median, now):
            return ProfileMode.ANOMALY
        return None

    def _receive(self) -> None:
        for ask in self._mailbox.take():
            step = ask.request.at_step
            if step is not None and step < self._steps():
                ask.tell(Progress(State.REFUSED, message=f"step {step} is over; the training is at {self._steps()}"))
            elif step is None and self._window is not None:
                self._window_asks.append(ask)
                self._tell_open(self._window)
            elif step is not None or not self.results.join(ask):
                self._asks.append(ask)

    def _look_ahead(self, loop: Loop, batch_idx: int) -> None:
        window = self._window
        self.profiling = window is not None and window.recording
        if window is not None:
            self.due_idx = batch_idx + 1
            return
        batches = self._schedule.next_due(loop.stage, self._steps())
        if loop.stage is Stage.TRAIN:
            asked = [ask.request.at_step - self._steps() for ask in self._asks if ask.request.at_step is not None]
            batches = min([batches, *(max(1, each) for each in asked)])
        self.due_idx = batch_idx + batches if batches < NEVER else NEVER

    def _open(self, mode: ProfileMode, loop: Loop, batch_idx: int, warmup: int, asks: Sequence[Ask] = ()) -> None:
        reason = self._refusal()
        if reason:
            self._refuse(reason, asks, mode)
            return
        asked = [ask.request.batches for ask in asks if ask.request.batches is not None]
        batches = max(asked, default=self._settings.profile_batches)
        self._schedule.opened(mode)
        self._number += 1
        profiler = TorchWindow(warmup, batches, self._settings.profile_details, self._give_way)
        window = OpenWindow(
            mode,
            self._files.name(self._number, mode),
            profiler,
            warmup,
            batches,
            self._recorder.begin_profile(mode, loop),
        )
        self._window, self._window_asks = window, list(asks)
        window.start(loop.epoch, batch_idx + 1)
        self._surface.ranges(True)
        self._tell_open(window)

    def _close(self, window: OpenWindow) -> None:
        self._surface.ranges(False)
        window.stop()
        asks, self._window_asks = self._window_asks, []
        self._window = None
        self._recorder.profiler_ns += window.stalled
        loop = self._loop
        self._describe(window, loop)
        for ask in asks:
            ask.tell(Progress(State.ANALYSING, window.recorded, window.batches))
        stage = loop.stage if loop is not None else Stage.TRAIN
        self.results.take(ClosedWindow(window, stage, time.time_ns(), asks, self._recorder.known))

    def _describe(self, window: OpenWindow, loop: Loop | None) -> None:
        span = window.span
        span.set_attributes({semconv.PROFILE_BATCHES: window.recorded, semconv.PROFILE_OVERHEAD: window.stalled / 1e9})
        if window.first_idx is not None:
            span.set_attribute(semconv.PROFILE_FIRST_BATCH, window.first_idx)
        if loop is not None and loop.detector.median and window.durations:
            mean = sum(window.durations) / len(window.durations)
            span.set_attribute(semconv.PROFILE_SLOWDOWN, mean / loop.detector.median)
        for context in window.links:
            span.add_link(context)

    def _abandon(self, why: str) -> None:
        """End the open window without a trace."""
        window, self._window = self._window, None
        asks, self._window_asks = self._window_asks, []
        self.profiling = False
        if window is None:
            return
        actions: tuple[Callable[[], None], ...] = (partial(self._surface.ranges, False), window.stop)
        for action in actions:
            try:
                action()
            except Exception as error:
                self._failed("profiling", error)
        self._recorder.profiler_ns += window.stalled
        window.span.set_attribute(semconv.PROFILE_FAILED, why)
        window.span.end()
        for ask in asks:
            ask.tell(Progress(State.FAILED, window.recorded, window.batches, message=why))

    def _give_way(self) -> None:
        """The application is about to start a profiler of its own."""
        self._abandon(OTHER_PROFILER)

    def _refusal(self) -> str:
        if self._failures >= MAX_FAILURES:
            return OFF_AFTER_FAILURES
        return OTHER_PROFILER if self._surface.profiled_by_user() or other_profiler_runs() else ""

    def _refuse(self, reason: str, asks: Sequence[Ask], mode: ProfileMode) -> None:
        self._window_asks = []
        if not self._said:
            self._said = True
            logger.warning("ocr_otel: no window of the profiler opens (%s): %s.", mode, reason)
        # Those that open by themselves are over with it: nobody waits for them.
        self._schedule.opened(mode)
        for ask in asks:
            ask.tell(Progress(State.REFUSED, message=reason))

    def _tell_open(self, window: OpenWindow) -> None:
        for ask in self._window_asks:
            ask.tell(Progress(State.OPEN, window.recorded, window.batches))

    def _is_due(self, at_step: int | None, loop: Loop) -> bool:
        # A window that was open at the step, or a loop that ended there, may have let it pass.
        return at_step is None or (loop.stage is Stage.TRAIN and at_step <= self._steps())

    def _count(self, loop: Loop, batch_idx: int) -> None:
        if loop.stage is Stage.TRAIN:
            self._steps_in_epoch = batch_idx + 1

    def _steps(self) -> int:
        return self._steps_before + self._steps_in_epoch

    def _steps_now(self) -> int:
        """As `_steps`, in any thread: the training's looks in here after few batches only."""
        before, loop, path = self._steps_before, self._loop, self._recorder.path
        # The batch that runs is not done.
        running = path.batch_idx if loop is not None and loop.stage is Stage.TRAIN and path.loop is loop else 0
        return max(self._steps(), before + running)

    def _context(self, loop: Loop) -> SpanContext:
        trace_id, span_id = self._recorder.path.batch_ids(loop)
        return SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
