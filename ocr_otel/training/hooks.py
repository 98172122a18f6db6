"""Lightning's hooks, told to the recorder: the same for `lightning` and `pytorch_lightning`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any, NamedTuple

from ocr_otel import semconv
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.windows.results import JudgeWindow
from ocr_otel.recording import EntrySummary, Judgement, LoopSummary, Recorder, recorder_for
from ocr_otel.recording.summaries import Interruptions
from ocr_otel.resources.monitor import Monitor
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.settings import Settings, load
from ocr_otel.telemetry import session_for_process
from ocr_otel.telemetry.failures import MAX_FAILURES, attempt, report
from ocr_otel.training import unended
from ocr_otel.training.batch_size import find_batch_size
from ocr_otel.training.configuration import (
    describe_loaders,
    describe_machine,
    describe_model,
    describe_optimizers,
    describe_progress_bar,
    describe_trainer,
)
from ocr_otel.training.device_events import marks_of
from ocr_otel.training.fetching import fetched_in_step
from ocr_otel.training.flops import model_flops_utilisation
from ocr_otel.training.guard import Parts, guarded, say_off
from ocr_otel.training.identity import identity_of
from ocr_otel.training.interruptions import InterruptionWatch
from ocr_otel.training.listening import EndedEpoch, Listen, Listener, listens_not, logged_step
from ocr_otel.training.log_bridge import bridge_logs, check_logs
from ocr_otel.training.logged import logged_values
from ocr_otel.training.logging_seam import LoggingSeam
from ocr_otel.training.origin import Attempts, attempts_of, origin_of
from ocr_otel.training.out_of_memory import MemoryWatch
from ocr_otel.training.profiler_seam import Contexts, ProfilerSeam
from ocr_otel.training.ranks import TrainingRanks, ranks_of
from ocr_otel.training.resources import monitor_for, places
from ocr_otel.training.resuming import resumes_inside_epoch
from ocr_otel.training.strategy_seam import StrategySeam
from ocr_otel.training.train_batch import TrainBatch
from ocr_otel.training.validation_seam import ValidationSeam
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
        batch_size: Returns the number of samples of a batch; by default its form tells them.
        settings: The settings; read from the environment by default.
        listen: Makes who is told of each entry beside the recorder.

    Raises:
        SettingsError: A setting is wrong.
    """

    def __init__(
        self,
        verdicts: Verdicts,
        present: Present,
        batch_size: Callable[[Any], int] | None,
        settings: Settings | None,
        listen: Listen = listens_not,
    ) -> None:
        self._verdicts = verdicts
        self._present = present
        self._listen = listen
        self._batch_size = batch_size or find_batch_size
        self._settings = settings or load()
        self._silenced = os.environ.get("OCR_OTEL_ENABLED") is not None and not self._settings.enabled
        self._said: set[str] = set()
        self._clear()

    def _clear(self) -> None:
        self._recorder: Recorder | None = None
        self._profiler: ProfilerSeam | None = None
        self._strategy: StrategySeam | None = None
        self._validation: ValidationSeam | None = None
        self._logging: LoggingSeam | None = None
        self._interruptions: InterruptionWatch | None = None
        self._failures = 0
        self._parts = Parts(self.failed)
        self._in_epoch = False
        self._epoch = 0
        self._mfu: float | None = None
        self._monitor: Monitor | None = None
        self._memory: MemoryWatch | None = None
        self._windows: TrainingWindows | None = None
        self._ranks: TrainingRanks | None = None
        self._attempts: Attempts | None = None
        self._listener: Listener | None = None
        self._windows_over = False

    def __getstate__(self) -> dict[str, Any]:
        # Lightning pickles the Trainer to spawn ranks; what is open in this process stays here.
        held = ("_recorder", "_profiler", "_strategy", "_monitor", "_memory", "_windows", "_logging", "_interruptions")
        return self.__dict__ | dict.fromkeys((*held, "_parts", "_ranks", "_attempts", "_listener", "_validation"))

    # --- the entry ----------------------------------------------------------------------------------------------------

    @guarded
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An entry begins."""
        if self._silenced or not self._first_of(trainer) or self._recorder is not None:
            return
        session = session_for_process(self._settings, lambda: identity_of(trainer, self._settings))
        if session is None:
            return
        check_logs(self._settings)
        attempt(unended.end_where_stopped, self.failed, "unended")
        recorder = recorder_for(session, self._settings)
        if recorder.busy:
            return
        self._failures = 0
        self._parts = parts = Parts(recorder.failed_beside)
        self._recorder = recorder
        self._monitor = monitor = parts.attempt("resources", lambda: monitor_for(recorder, self._settings))
        if monitor is not None:
            parts.end_by("resources", monitor.stop)
            parts.attempt("resources", lambda: monitor.start(places(trainer)))
        entry = str(getattr(stage, "value", stage))
        identity = recorder.session.identity
        self._attempts = attempts = parts.attempt("attempts", lambda: attempts_of(identity))
        self._listener = listener = parts.attempt(
            "listening", lambda: self._listen(trainer, recorder, entry, self._settings, parts)
        )
        known = parts.attempt("listening", listener.known) if listener is not None else None
        configuration = parts.attempt("configuration", lambda: describe_trainer(trainer, pl_module)) or {}
        root = recorder.begin_entry(
            entry,
            configuration | dict(known or {}),
            _STAGES_OF.get(entry, ()),
            lambda: int(trainer.global_step),
            self._judge,
            monitor,
            parts.attempt("origin", lambda: origin_of(identity, entry, attempts)),
        )
        parts.attempt("unended", lambda: unended.begins(trainer, lambda: self._end_untold(trainer)))
        if attempts is not None and entry == semconv.FIT:
            parts.attempt("attempts", lambda: attempts.begins(root))
        if listener is not None:
            recorder.describe(known or {})
            parts.attempt("listening", lambda: listener.entry_begins(root))
        recorder.path.failed = self.failed
        recorder.path.marks = parts.attempt("device_times", lambda: marks_of(trainer))
        contexts = Contexts(recorder, pl_module, TrainBatch(trainer, self._batch_size), self.failed)
        self._profiler = ProfilerSeam(trainer.profiler, contexts)
        self._install_parts(trainer, pl_module, recorder, contexts)

    def _install_parts(self, trainer: Any, module: Any, recorder: Recorder, contexts: Contexts) -> None:
        parts, settings = self._parts, self._settings
        parts.attempt("logs", lambda: bridge_logs(recorder, settings))
        self._memory = parts.attempt("out_of_memory", lambda: MemoryWatch(recorder, settings.memory_snapshot))
        self._ranks = parts.attempt("ranks", lambda: ranks_of(trainer, recorder, contexts, parts))
        recorder.ranks = self._ranks
        self._strategy = parts.attempt("strategy", lambda: StrategySeam(trainer, recorder, contexts, parts.failed))
        self._validation = parts.attempt("validation", lambda: ValidationSeam(trainer, recorder.path))
        self._logging = parts.attempt("logging", lambda: LoggingSeam(module, trainer.loggers, contexts))
        starting = self._strategy.take_starting if self._strategy is not None else float
        self._interruptions = parts.attempt(
            "interruptions", lambda: InterruptionWatch(lambda: recorder.profiler_ns, starting, parts.failed)
        )
        judge = self._verdicts.of_window
        self._windows = parts.attempt(
            "profiling", lambda: windows_of(recorder, settings, trainer, contexts, judge, recorder.failed_beside)
        )

    def _judge(self, epochs: tuple[LoopSummary, ...], wall: float, known: Mapping[str, Any]) -> Judgement:
        profile = self._windows.last() if self._windows is not None else None
        verdict = self._parts.attempt("verdict", lambda: self._verdicts.of_epochs(epochs, wall, known, profile))
        return verdict or Judgement()

    def _first_of(self, trainer: Any) -> bool:
        return next((each for each in trainer.callbacks if isinstance(each, TrainingHooks)), None) is self

    @guarded
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An entry ends."""
        self._end(trainer, Outcome.COMPLETED, None)

    @guarded
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """An entry ends by an exception, a signal or Ctrl-C."""
        interrupted = isinstance(exception, (KeyboardInterrupt, SystemExit))
        self._end(trainer, Outcome.INTERRUPTED if interrupted else Outcome.FAILED, exception)

    @guarded
    def _end_untold(self, trainer: Any) -> None:
        self._end(trainer, Outcome.FAILED, None)

    def _end(self, trainer: Any, outcome: Outcome, error: BaseException | None) -> None:
        recorder = self._recorder
        if recorder is None or recorder.session.pid != os.getpid():
            # A child that the training forked, and that ends as if it were the training.
            return
        parts, memory, mfu, attempts = self._parts, self._memory, self._mfu, self._attempts
        listener = self._listener
        try:
            self._let_go(recorder)
            if attempts is not None:
                parts.attempt("attempts", lambda: attempts.ends(outcome, error))
            if memory is not None:
                parts.attempt("out_of_memory", lambda: memory.ended(trainer, error))
            summary = parts.attempt("end_entry", lambda: recorder.end_entry(outcome, error, mfu))
            if summary is not None and self._settings.summary and trainer.is_global_zero:
                parts.attempt("summary", lambda: self._present(summary))
            if summary is not None and listener is not None:
                parts.attempt("listening", lambda: listener.entry_ended(summary))
        finally:
            self._leave(recorder, failed=outcome is not Outcome.COMPLETED)

    def _let_go(self, recorder: Recorder) -> None:
        """Take away from the training all that watches it."""
        self._finish_windows()
        self._recorder = None
        recorder.path.watcher = None
        for seam in (
            self._windows, self._profiler, self._strategy, self._validation, self._logging, self._interruptions,
            self._ranks,
        ):  # fmt: skip
            if seam is not None:
                attempt(seam.remove, self._parts.failed, "teardown")
        if self._monitor is not None:
            attempt(self._monitor.stop, self._parts.failed, "resources")

    def _leave(self, recorder: Recorder, failed: bool = False) -> None:
        """Leave an entry, whatever failed at its end: the next one is recorded."""
        self._parts.attempt("unended", unended.ended)
        if recorder.busy:
            self._parts.attempt("abandon", lambda: recorder.abandon(failed))
        self._clear()

    def _finish_windows(self) -> None:
        windows, recorder = self._windows, self._recorder
        if windows is None or recorder is None or self._windows_over:
            return
        self._windows_over = True
        before, stalled = perf_counter_ns(), recorder.profiler_ns
        self._parts.attempt("profiling", windows.finish)
        # What it closes counts itself; it is waiting for the analysis that is new.
        recorder.profiler_ns = max(recorder.profiler_ns, stalled + perf_counter_ns() - before)

    # --- epochs and validations ---------------------------------------------------------------------------------------

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The optimisers are there."""
        parts, recorder, windows, strategy = self._parts, self._recorder, self._windows, self._strategy
        ranks = self._ranks
        if recorder is None:
            return
        if windows is not None:
            parts.attempt("profiling", windows.loop_begins)
        if strategy is not None:
            parts.attempt("strategy", lambda: strategy.training_begins(pl_module))
        if ranks is not None:
            parts.attempt("ranks", ranks.training_begins)
        for described in (
            lambda: describe_loaders(trainer.train_dataloader),
            lambda: describe_model(pl_module),
            lambda: describe_optimizers(trainer.optimizers) | describe_machine(),
            lambda: describe_progress_bar(trainer),
        ):
            recorder.describe(parts.attempt("configuration", described) or {})
        if self._monitor is not None:
            self._monitor.reads_and_writes_at(parts.attempt("resources", lambda: places(trainer)) or [])
        if resumes_inside_epoch(trainer):
            self._begin_epoch(trainer)

    @guarded
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """An epoch begins, and so the one before is over."""
        if self._recorder is not None:
            self._end_epoch(trainer, pl_module)
            self._begin_epoch(trainer)

    def _begin_epoch(self, trainer: Any) -> None:
        assert self._recorder is not None
        self._take_interruptions()
        self._recorder.begin_loop(
            Stage.TRAIN,
            trainer.current_epoch,
            trainer.num_training_batches,
            fetched_in_step=fetched_in_step(trainer),
            count_always=self._batch_size is not find_batch_size,
        )
        self._in_epoch = True
        self._epoch = int(trainer.current_epoch)

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
        logged = self._parts.attempt("logged", lambda: logged_values(trainer)) or {}
        summary = recorder.end_loop(logged, skipped_steps=skipped, interruptions=self._take_interruptions())
        if summary is not None and summary.wall > 0:
            rate = summary.batches / summary.wall
            mfu = self._parts.attempt("flops", lambda: model_flops_utilisation(trainer, module, rate))
            self._mfu = mfu or self._mfu
        self._tell_epoch(trainer, summary, recorder.of_loop)

    def _tell_epoch(self, trainer: Any, summary: LoopSummary | None, attributes: Mapping[str, Any]) -> None:
        listener = self._listener
        if listener is not None and summary is not None:
            ended = EndedEpoch(self._epoch, logged_step(trainer), summary, attributes)
            self._parts.attempt("listening", lambda: listener.epoch_ended(ended))

    def _take_interruptions(self) -> Interruptions:
        watch = self._interruptions
        return (self._parts.attempt("interruptions", watch.take) if watch is not None else None) or Interruptions()

    def _begin_evaluation(self, trainer: Any, stage: Stage, batches: Any) -> None:
        if self._windows is not None:
            self._parts.attempt("profiling", self._windows.loop_begins)
        if self._recorder is not None:
            total = sum(batches) if isinstance(batches, list) else batches
            self._recorder.begin_loop(
                stage, trainer.current_epoch, float(total), fetched_in_step=fetched_in_step(trainer)
            )

    def _end_evaluation(self, trainer: Any) -> None:
        if self._recorder is not None:
            self._recorder.end_loop(self._parts.attempt("logged", lambda: logged_values(trainer)) or {})

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
        """A batch of a validation, a test or a prediction is on its device."""
        # Not decorated: the decorator's call would be a third of this hook's cost.
        recorder = self._recorder
        if recorder is None:
            return
        try:
            recorder.path.batch_begins(batch_idx, dataloader_idx, self._batch_size(batch))
        except Exception as error:
            self.failed("batch_start", error)

    on_test_batch_start = on_validation_batch_start
    on_predict_batch_start = on_validation_batch_start

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

    def failed(self, cause: str, error: Exception) -> None:
        """Log a failure of ours once, count it, and stop recording this run when there are too many."""
        recorder = self._recorder
        if recorder is None:
            report(self._said, cause, error)
            return
        self._said.add(cause)
        recorder.failed_beside(cause, error)
        self._failures += 1
        if self._failures < MAX_FAILURES and cause != "setup":
            return
        say_off(self._failures, error)
        try:
            self._let_go(recorder)
        finally:
            self._leave(recorder)
