"""Opens and closes windows of the profiler between two batches, by schedule, by anomaly and on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Final

from opentelemetry.trace import SpanContext, TraceFlags

from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.requests import Progress, Request, Standing, State
from ocr_otel.profiling.windows.asked import Ask, Mailbox, Tell
from ocr_otel.profiling.windows.files import TraceFiles
from ocr_otel.profiling.windows.results import JudgeWindow, Results
from ocr_otel.profiling.windows.schedule import Schedule
from ocr_otel.profiling.windows.shutter import Shutter, Surface
from ocr_otel.recording import Recorder
from ocr_otel.recording.loop import Loop
from ocr_otel.recording.sampling import NEVER
from ocr_otel.semconv import ProfileMode, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import rank_directory

NOT_ON_DEMAND: Final = "OCR_OTEL_PROFILE of this training is without on-demand"
ENDED: Final = "the training ended before a batch was recorded"
READING_SHARE: Final = 0.8
"""Of what the end of an entry may wait: what was read has to be delivered after it."""


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
        self.due_idx: int = NEVER
        self.profiling: bool = False
        self._recorder = recorder
        self._settings = settings
        files = TraceFiles(directory, identity.rank, settings.profile_files_size)
        self.results: Results = Results(files, judge, failed)
        self._shutter = Shutter(recorder, settings, surface, files, self.results, failed)
        self._schedule = Schedule(settings)
        self._mailbox = Mailbox(self._poke)
        self._asks: list[Ask] = []
        self._loop: Loop | None = None
        self._batch_idx = -1
        self._steps_before = 0
        self._steps_in_epoch = 0
        self._lasting_anomaly = False
        self._put_off: ProfileMode | None = None
        self._profiled = False
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
        self._safely(self._close)
        for ask in self._asks + self._mailbox.take():
            ask.tell(Progress(State.FAILED, message=ENDED))
        self._asks = []
        self.due_idx = NEVER
        with self._recorder.session.patience.spending() as seconds:
            self.results.wait(READING_SHARE * seconds)

    def last(self) -> WindowProfile | None:
        """Return what the last window in the training's own batches showed."""
        return self.results.last(Stage.TRAIN)

    def _safely(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self.profiling = False
            self._shutter.fail(error)

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
        self._close()
        self._count(loop, batch_idx)
        if over and loop.stage is Stage.TRAIN:
            self._steps_before, self._steps_in_epoch = self._steps(), 0
        self._loop, self._batch_idx = None, -1

    def _close(self) -> None:
        # Who asked for a window that has recorded nothing gets one in the next loop.
        self._asks = self._shutter.loop_ends() + self._asks

    def _after_batch(self, loop: Loop, batch_idx: int, duration: int, now: int) -> None:
        self._batch_idx = batch_idx
        self._count(loop, batch_idx)
        # In the batch after a window its trace is written, in a thread that holds this one up.
        profiled, self._profiled = self._profiled, self._shutter.window is not None
        profiled = profiled or self._profiled
        self._shutter.batch_ended(loop, batch_idx, duration, self._context(loop))
        self._receive()
        if batch_idx + 1 >= loop.total_batches:
            # A window that opened now would see no batch: it opens with the next epoch.
            self._put_off = self._schedule.after(loop.stage, self._steps()) or self._put_off
        elif self._shutter.window is None:
            due = [ask for ask in self._asks if self._is_due(ask.request.at_step, loop)]
            mode = ProfileMode.ON_DEMAND if due else self._of_itself(loop, batch_idx, duration, now, profiled)
            if mode is not None:
                self._asks = [ask for ask in self._asks if ask not in due]
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
            elif step is not None or not (self._shutter.join(ask) or self.results.join(ask)):
                self._asks.append(ask)

    def _look_ahead(self, loop: Loop, batch_idx: int) -> None:
        window = self._shutter.window
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
        self._schedule.opened(mode)
        self._shutter.open(mode, loop, batch_idx + 1, warmup, asks)

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
