"""Lightning's hooks, told to the recorder: the same for `lightning` and `pytorch_lightning`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any, NamedTuple

from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.windows.results import JudgeWindow
from ocr_otel.recording import EntrySummary, Judgement, LoopSummary, Recorder, recorder_for
from ocr_otel.recording.summaries import Interruptions
from ocr_otel.resources.monitor import Monitor
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.settings import Settings, SettingsError, load
from ocr_otel.telemetry import session_for_process
from ocr_otel.telemetry.failures import logger, report
from ocr_otel.training import guard
from ocr_otel.training.batch_size import find_batch_size
from ocr_otel.training.configuration import (
    describe_loader,
    describe_machine,
    describe_optimizers,
    describe_progress_bar,
    describe_trainer,
)
from ocr_otel.training.device_events import marks_of
from ocr_otel.training.fetching import fetched_in_step
from ocr_otel.training.flops import model_flops_utilisation
from ocr_otel.training.guard import guarded
from ocr_otel.training.identity import identity_of
from ocr_otel.training.interruptions import InterruptionWatch
from ocr_otel.training.logged import logged_values
from ocr_otel.training.logging_seam import LoggingSeam
from ocr_otel.training.out_of_memory import MemoryWatch
from ocr_otel.training.profiler_seam import Contexts, ProfilerSeam
from ocr_otel.training.resources import monitor_for, places
from ocr_otel.training.strategy_seam import StrategySeam
from ocr_otel.training.train_batch import TrainBatch
from ocr_otel.training.windows import TrainingWindows, windows_of

Present = Callable[[EntrySummary], None]
"""Shows a person what a finished entry was like."""

_STAGES_OF: Mapping[str, tuple[Stage, ...]] = {
    "fit": (Stage.TRAIN, Stage.VALIDATE),
    "validate": (Stage.VALIDATE,),
    "test": (Stage.TEST,),
    "predict": (Stage.PREDICT,),
}


class Verdicts(NamedTuple):
    """Where verdicts come from; handed in, because diagnosis is not known here.

    Attributes:
        of_epochs: Judges epochs: their summaries, their wall time in seconds, what else is known as attributes, and
            what the last window of the profiler showed.
        of_window: Judges a window of the profiler.
    """

    of_epochs: Callable[[tuple[LoopSummary, ...], float, Mapping[str, Any], WindowProfile | None], Judgement]
    of_window: JudgeWindow


class TrainingHooks:
    """The callback without a base class; `callbacks` gives it Lightning's.

    Args:
        verdicts: Judge epochs and windows of the profiler.
        present: Shows the summary of a finished entry.
        batch_size: Returns the number of samples of a batch, for batches in which Lightning's rule finds none.
        settings: The settings; read from the environment by default.

    Raises:
        SettingsError: A setting is wrong.
    """

    def __init__(
        self, verdicts: Verdicts, present: Present, batch_size: Callable[[Any], int] | None, settings: Settings | None
    ) -> None:
        self._verdicts = verdicts
        self._present = present
        self._batch_size = batch_size or find_batch_size
        self._settings = settings or load()
        self._silenced = os.environ.get("OCR_OTEL_ENABLED") is not None and not self._settings.enabled
        self._said: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._recorder: Recorder | None = None
        self._profiler: ProfilerSeam | None = None
        self._strategy: StrategySeam | None = None
        self._logging: LoggingSeam | None = None
        self._interruptions: InterruptionWatch | None = None
        self._failures = 0
        self._in_epoch = False
        self._mfu: float | None = None
        self._monitor: Monitor | None = None
        self._memory: MemoryWatch | None = None
        self._windows: TrainingWindows | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Lightning pickles the Trainer to spawn ranks; what is open in this process stays here.
        state = self.__dict__.copy()
        state.update(_recorder=None, _profiler=None, _strategy=None, _monitor=None, _memory=None, _windows=None)
        state.update(_logging=None, _interruptions=None)
        return state

    # --- the entry ----------------------------------------------------------------------------------------------------

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An entry begins."""
        try:
            self._begin(trainer, pl_module, stage)
        except SettingsError:
            raise
        except Exception as error:
            self.failed("setup", error)

    def _begin(self, trainer: Any, module: Any, stage: str) -> None:
        if self._silenced or not self._first_of(trainer) or self._recorder is not None:
            return
        session = session_for_process(self._settings, lambda: identity_of(trainer, self._settings))
        if session is None:
            return
        recorder = recorder_for(session, self._settings)
        if recorder.busy:
            return
        self._failures = 0
        self._monitor = guard.attempt(lambda: monitor_for(recorder, self._settings), self.failed, "resources")
        if self._monitor is not None:
            self._monitor.start(places(trainer))
        entry = str(getattr(stage, "value", stage))
        recorder.begin_entry(
            entry,
            describe_trainer(trainer, module),
            _STAGES_OF.get(entry, ()),
            lambda: int(trainer.global_step),
            self._judge,
            self._monitor,
        )
        self._recorder = recorder
        self._memory = MemoryWatch(recorder, self._settings.memory_snapshot)
        recorder.path.marks = marks_of(trainer)
        contexts = Contexts(recorder, module, TrainBatch(trainer, self._batch_size), self.failed)
        self._profiler = ProfilerSeam(trainer.profiler, contexts)
        self._strategy = StrategySeam(trainer, recorder, contexts, self.failed)
        self._logging = LoggingSeam(module, trainer.loggers, contexts)
        self._interruptions = InterruptionWatch(
            lambda: recorder.profiler_ns, self._strategy.take_starting, self.failed_beside
        )
        self._windows = windows_of(
            recorder, self._settings, trainer, contexts, self._verdicts.of_window, self.failed_beside
        )

    def _judge(self, epochs: tuple[LoopSummary, ...], wall: float, known: Mapping[str, Any]) -> Judgement:
        return self._verdicts.of_epochs(epochs, wall, known, self._windows.last() if self._windows else None)

    def _first_of(self, trainer: Any) -> bool:
        ours = [callback for callback in trainer.callbacks if isinstance(callback, TrainingHooks)]
        return bool(ours) and ours[0] is self

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An entry ends."""
        self._end(trainer, Outcome.COMPLETED, None)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """An entry ends by an exception, a signal or Ctrl-C."""
        interrupted = isinstance(exception, (KeyboardInterrupt, SystemExit))
        self._end(trainer, Outcome.INTERRUPTED if interrupted else Outcome.FAILED, exception)

    def _end(self, trainer: Any, outcome: Outcome, error: BaseException | None) -> None:
        recorder = self._recorder
        if recorder is None:
            return
        self._finish_windows()
        self._take_seams_away()
        self._recorder = None
        self._stop_reading()
        if self._memory is not None:
            memory = self._memory
            guard.attempt(lambda: memory.ended(trainer, error), self.failed, "out_of_memory")
        summary = guard.attempt(lambda: recorder.end_entry(outcome, error, self._mfu), self.failed, "end_entry")
        if summary is None:
            recorder.abandon()
        if summary is not None and self._settings.summary and trainer.is_global_zero:
            guard.attempt(lambda: self._present(summary), self.failed, "summary")
        self._clear()

    def _finish_windows(self) -> None:
        recorder = self._recorder
        if self._windows is None or recorder is None:
            return
        before, stalled = perf_counter_ns(), recorder.profiler_ns
        guard.attempt(self._windows.finish, self.failed, "profiling")
        # What it closes counts itself; it is waiting for the analysis that is new.
        recorder.profiler_ns = max(recorder.profiler_ns, stalled + perf_counter_ns() - before)

    def _stop_reading(self) -> None:
        if self._monitor is not None:
            guard.attempt(self._monitor.stop, self.failed, "resources")

    def _take_seams_away(self) -> None:
        for seam in (self._windows, self._profiler, self._strategy, self._logging, self._interruptions):
            if seam is not None:
                guard.attempt(seam.remove, self.failed, "teardown")

    # --- epochs and validations ---------------------------------------------------------------------------------------

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The optimisers are there."""
        if self._windows is not None:
            self._windows.loop_begins()
        if self._strategy is not None and self._recorder is not None:
            self._strategy.training_begins(pl_module)
            self._recorder.describe(describe_loader(trainer.train_dataloader))
            self._recorder.describe(describe_optimizers(trainer.optimizers) | describe_machine())
            self._recorder.describe(describe_progress_bar(trainer))
            if self._monitor is not None:
                self._monitor.reads_and_writes_at(places(trainer))

    @guarded
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """An epoch begins, and so the one before is over."""
        if self._recorder is not None:
            self._end_epoch(trainer, pl_module)
            self._take_interruptions()
            self._recorder.begin_loop(
                Stage.TRAIN,
                trainer.current_epoch,
                trainer.num_training_batches,
                fetched_in_step=fetched_in_step(trainer),
                count_always=self._batch_size is not find_batch_size,
            )
            self._in_epoch = True

    @guarded
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """The last epoch is over."""
        # What the last window shows belongs into the verdict.
        self._finish_windows()
        if self._recorder is not None:
            self._end_epoch(trainer, pl_module)

    def _end_epoch(self, trainer: Any, module: Any) -> None:
        recorder = self._recorder
        if not self._in_epoch or recorder is None:
            return
        self._in_epoch = False
        skipped = self._strategy.take_skipped_steps() if self._strategy is not None else 0
        summary = recorder.end_loop(
            logged_values(trainer), skipped_steps=skipped, interruptions=self._take_interruptions()
        )
        if summary is not None and summary.wall > 0:
            self._mfu = model_flops_utilisation(trainer, module, summary.batches / summary.wall) or self._mfu

    def _take_interruptions(self) -> Interruptions:
        return self._interruptions.take() if self._interruptions is not None else Interruptions()

    def _begin_evaluation(self, trainer: Any, stage: Stage, batches: Any) -> None:
        if self._windows is not None:
            self._windows.loop_begins()
        if self._recorder is not None:
            total = sum(batches) if isinstance(batches, list) else batches
            self._recorder.begin_loop(
                stage, trainer.current_epoch, float(total), fetched_in_step=fetched_in_step(trainer)
            )

    def _end_evaluation(self, trainer: Any) -> None:
        if self._recorder is not None:
            self._recorder.end_loop(logged_values(trainer))

    @guarded
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """A validation begins, or the sanity check."""
        if trainer.sanity_checking:
            self._begin_evaluation(trainer, Stage.SANITY_CHECK, trainer.num_sanity_val_batches)
        else:
            self._begin_evaluation(trainer, Stage.VALIDATE, trainer.num_val_batches)

    @guarded
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """A validation ends."""
        self._end_evaluation(trainer)

    @guarded
    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        """A test begins."""
        self._begin_evaluation(trainer, Stage.TEST, trainer.num_test_batches)

    @guarded
    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        """A test ends."""
        self._end_evaluation(trainer)

    @guarded
    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """A prediction begins."""
        self._begin_evaluation(trainer, Stage.PREDICT, trainer.num_predict_batches)

    @guarded
    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        """A prediction ends."""
        self._end_evaluation(trainer)

    # --- batches ------------------------------------------------------------------------------------------------------

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int | None = None
    ) -> None:
        """A validation batch is on its device."""
        self._batch_begins(batch, batch_idx, dataloader_idx)

    def on_test_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int | None = None
    ) -> None:
        """A test batch is on its device."""
        self._batch_begins(batch, batch_idx, dataloader_idx)

    def on_predict_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int | None = None
    ) -> None:
        """A batch to predict is on its device."""
        self._batch_begins(batch, batch_idx, dataloader_idx)

    def _batch_begins(self, batch: Any, batch_idx: int, dataloader_idx: int | None) -> None:
        # Written out and not decorated: the decorator's call would be a third of this hook's cost.
        recorder = self._recorder
        if recorder is None:
            return
        try:
            recorder.path.batch_begins(batch_idx, dataloader_idx, self._batch_size(batch))
        except Exception as error:
            self.failed("batch_start", error)

    # Lightning calls a hook where it is callable, at 2.5 µs a call: those that run for each batch and have nothing to
    # do here are not. The profiler seam tells when they would have been called.
    on_train_batch_start: Any = None
    on_train_batch_end: Any = None
    on_validation_batch_end: Any = None
    on_test_batch_end: Any = None
    on_predict_batch_end: Any = None
    on_before_zero_grad: Any = None
    on_before_backward: Any = None
    on_after_backward: Any = None
    on_before_optimizer_step: Any = None

    # --- when we fail -------------------------------------------------------------------------------------------------

    def failed_beside(self, cause: str, error: Exception) -> None:
        """Log a failure once and count it; what failed is beside the recording and has a limit of its own."""
        if self._recorder is not None:
            self._recorder.failed_beside(cause, error)

    def failed(self, cause: str, error: Exception) -> None:
        """Log a failure of ours once, count it, and stop recording this run when there are too many."""
        report(self._said, cause, error)
        recorder = self._recorder
        if recorder is None:
            return
        recorder.instruments.error(cause)
        self._failures += 1
        if self._failures >= guard.MAX_FAILURES:
            logger.warning("ocr_otel has failed %d times in this run and is off for the rest of it.", self._failures)
            self._finish_windows()
            recorder.path.watcher = None
            self._take_seams_away()
            self._stop_reading()
            recorder.abandon()
            self._recorder = None
