"""An entry that is recorded: all that watches the training for it, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

from ocr_otel import semconv
from ocr_otel.recording import Judgement, LoopSummary, Recorder
from ocr_otel.recording.summaries import Interruptions
from ocr_otel.resources.monitor import Monitor
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry.failures import Failed, attempt
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
from ocr_otel.training.guard import Parts
from ocr_otel.training.interruptions import InterruptionWatch
from ocr_otel.training.listening import EndedEpoch, Listen, Listener, logged_step
from ocr_otel.training.log_bridge import bridge_logs
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
from ocr_otel.training.verdicts import Present, Verdicts
from ocr_otel.training.windows import TrainingWindows, windows_of

_STAGES_OF: Mapping[str, tuple[Stage, ...]] = {
    "fit": (Stage.TRAIN, Stage.VALIDATE),
    "validate": (Stage.VALIDATE,),
    "test": (Stage.TEST,),
    "predict": (Stage.PREDICT,),
}


class OpenEntry:
    """A `fit`, `validate`, `test` or `predict` that is recorded. A part that fails is left out, the others go on.

    Args:
        recorder: Records it.
        settings: Its settings.
        verdicts: Judge epochs and windows of the profiler.
        batch_size: Returns the number of samples of a batch; None where that is not known.
        failed: Takes what fails of the core of the recording.

    Attributes:
        recorder: Records it.
        parts: The parts beside the core.
    """

    def __init__(
        self,
        recorder: Recorder,
        settings: Settings,
        verdicts: Verdicts,
        batch_size: Callable[[Any], int | None],
        failed: Failed,
    ) -> None:
        self.recorder = recorder
        self.parts: Parts = Parts(recorder.failed_beside)
        self._settings = settings
        self._verdicts = verdicts
        self._batch_size = batch_size
        self._failed = failed
        self._monitor: Monitor | None = None
        self._attempts: Attempts | None = None
        self._listener: Listener | None = None
        self._profiler: ProfilerSeam | None = None
        self._memory: MemoryWatch | None = None
        self._ranks: TrainingRanks | None = None
        self._strategy: StrategySeam | None = None
        self._validation: ValidationSeam | None = None
        self._logging: LoggingSeam | None = None
        self._interruptions: InterruptionWatch | None = None
        self._windows: TrainingWindows | None = None
        self._windows_over = False
        self._epoch: int | None = None
        self._mfu: float | None = None

    # --- beginning and end --------------------------------------------------------------------------------------------

    def begin(self, trainer: Any, module: Any, entry: str, listen: Listen, end_untold: Callable[[], None]) -> None:
        """Begin it, and watch the training from now on.

        Args:
            trainer: The Trainer.
            module: Its LightningModule.
            entry: Name of the entry.
            listen: Makes who is told of it beside the recorder.
            end_untold: Ends it as failed where no hook tells of its end. It does not fail.
        """
        parts, recorder, settings = self.parts, self.recorder, self._settings
        self._monitor = monitor = parts.attempt("resources", lambda: monitor_for(recorder, settings))
        if monitor is not None:
            parts.end_by("resources", monitor.stop)
            parts.attempt("resources", lambda: monitor.start(places(trainer)))
        identity = recorder.session.identity
        self._attempts = attempts = parts.attempt("attempts", lambda: attempts_of(identity))
        self._listener = listener = parts.attempt(
            "listening", lambda: listen(trainer, recorder, entry, settings, parts)
        )
        known = parts.attempt("listening", listener.known) if listener is not None else None
        configuration = parts.attempt("configuration", lambda: describe_trainer(trainer, module)) or {}
        root = recorder.begin_entry(
            entry,
            configuration | dict(known or {}),
            _STAGES_OF.get(entry, ()),
            lambda: int(trainer.global_step),
            self._judge,
            monitor,
            parts.attempt("origin", lambda: origin_of(identity, entry, attempts)),
        )
        parts.attempt("unended", lambda: unended.begins(trainer, end_untold))
        if attempts is not None and entry == semconv.FIT:
            parts.attempt("attempts", lambda: attempts.begins(root))
        if listener is not None:
            recorder.describe(known or {})
            parts.attempt("listening", lambda: listener.entry_begins(root))
        recorder.path.failed = self._failed
        recorder.path.marks = parts.attempt("device_times", lambda: marks_of(trainer))
        contexts = Contexts(recorder, module, TrainBatch(trainer, self._batch_size), self._failed)
        self._profiler = ProfilerSeam(trainer.profiler, contexts)
        self._install_parts(trainer, module, contexts)

    def _install_parts(self, trainer: Any, module: Any, contexts: Contexts) -> None:
        parts, recorder, settings = self.parts, self.recorder, self._settings
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
        verdict = self.parts.attempt("verdict", lambda: self._verdicts.of_epochs(epochs, wall, known, profile))
        return verdict or Judgement()

    def end(self, trainer: Any, outcome: Outcome, error: BaseException | None, present: Present) -> None:
        """Leave the training alone, and end the recording of it.

        Args:
            trainer: The Trainer.
            outcome: How it came out.
            error: The exception that ended it.
            present: Shows its summary.
        """
        parts, memory, attempts, listener = self.parts, self._memory, self._attempts, self._listener
        self.let_go()
        if attempts is not None:
            parts.attempt("attempts", lambda: attempts.ends(outcome, error))
        if memory is not None:
            parts.attempt("out_of_memory", lambda: memory.ended(trainer, error))
        summary = parts.attempt("end_entry", lambda: self.recorder.end_entry(outcome, error, self._mfu))
        if summary is not None and self._settings.summary and trainer.is_global_zero:
            parts.attempt("summary", lambda: present(summary))
        if summary is not None and listener is not None:
            parts.attempt("listening", lambda: listener.entry_ended(summary))

    def let_go(self) -> None:
        """Take away from the training all that watches it."""
        self.finish_windows()
        self.recorder.path.watcher = None
        for seam in (
            self._windows, self._profiler, self._strategy, self._validation, self._logging, self._interruptions,
            self._ranks,
        ):  # fmt: skip
            if seam is not None:
                attempt(seam.remove, self.parts.failed, "teardown")
        if self._monitor is not None:
            attempt(self._monitor.stop, self.parts.failed, "resources")

    def leave(self, failed: bool) -> None:
        """Leave it, whatever failed at its end: the next one is recorded.

        Args:
            failed: Whether the training failed.
        """
        self.parts.attempt("unended", unended.ended)
        if self.recorder.busy:
            self.parts.attempt("abandon", lambda: self.recorder.abandon(failed))

    def finish_windows(self) -> None:
        """End what the profiler records, once: what its last window shows belongs into the verdict."""
        windows, recorder = self._windows, self.recorder
        if windows is None or self._windows_over:
            return
        self._windows_over = True
        before, stalled = perf_counter_ns(), recorder.profiler_ns
        self.parts.attempt("profiling", windows.finish)
        # What it closes counts itself; it is waiting for the analysis that is new.
        recorder.profiler_ns = max(recorder.profiler_ns, stalled + perf_counter_ns() - before)

    # --- epochs and validations ---------------------------------------------------------------------------------------

    def training_begins(self, trainer: Any, module: Any) -> None:
        """The optimisers are there."""
        parts, windows, strategy, ranks = self.parts, self._windows, self._strategy, self._ranks
        if windows is not None:
            parts.attempt("profiling", windows.loop_begins)
        if strategy is not None:
            parts.attempt("strategy", lambda: strategy.training_begins(module))
        if ranks is not None:
            parts.attempt("ranks", ranks.training_begins)
        for described in (
            lambda: describe_loaders(trainer.train_dataloader),
            lambda: describe_model(module),
            lambda: describe_optimizers(trainer.optimizers) | describe_machine(),
            lambda: describe_progress_bar(trainer),
        ):
            self.recorder.describe(parts.attempt("configuration", described) or {})
        if self._monitor is not None:
            self._monitor.reads_and_writes_at(parts.attempt("resources", lambda: places(trainer)) or [])
        if resumes_inside_epoch(trainer):
            self._begin_epoch(trainer)

    def epoch_begins(self, trainer: Any, module: Any) -> None:
        """An epoch begins, and so the one before is over."""
        self.end_epoch(trainer, module)
        self._begin_epoch(trainer)

    def _begin_epoch(self, trainer: Any) -> None:
        self._take_interruptions()
        self.recorder.begin_loop(
            Stage.TRAIN,
            trainer.current_epoch,
            trainer.num_training_batches,
            fetched_in_step=fetched_in_step(trainer),
            count_always=self._batch_size is not find_batch_size,
        )
        self._epoch = int(trainer.current_epoch)

    def end_epoch(self, trainer: Any, module: Any) -> None:
        """The epoch that runs, if one does, is over."""
        epoch, self._epoch = self._epoch, None
        if epoch is None:
            return
        recorder, listener = self.recorder, self._listener
        skipped = self._strategy.take_skipped_steps() if self._strategy is not None else 0
        logged = self.parts.attempt("logged", lambda: logged_values(trainer)) or {}
        summary = recorder.end_loop(logged, skipped_steps=skipped, interruptions=self._take_interruptions())
        if summary is None:
            return
        if summary.wall > 0:
            rate = summary.batches / summary.wall
            mfu = self.parts.attempt("flops", lambda: model_flops_utilisation(trainer, module, rate))
            self._mfu = mfu or self._mfu
        if listener is not None:
            ended = EndedEpoch(epoch, logged_step(trainer), summary, recorder.of_loop)
            self.parts.attempt("listening", lambda: listener.epoch_ended(ended))

    def _take_interruptions(self) -> Interruptions:
        watch = self._interruptions
        return (self.parts.attempt("interruptions", watch.take) if watch is not None else None) or Interruptions()

    def begin_evaluation(self, trainer: Any, stage: Stage, batches: Any) -> None:
        """A validation, a test or a prediction begins.

        Args:
            trainer: The Trainer.
            stage: Which it is.
            batches: Number of its batches, or those of each of its dataloaders.
        """
        if self._windows is not None:
            self.parts.attempt("profiling", self._windows.loop_begins)
        total = sum(batches) if isinstance(batches, list) else batches
        self.recorder.begin_loop(stage, trainer.current_epoch, float(total), fetched_in_step=fetched_in_step(trainer))

    def end_evaluation(self, trainer: Any) -> None:
        """It ends."""
        self.recorder.end_loop(self.parts.attempt("logged", lambda: logged_values(trainer)) or {})
