"""Lightning's hooks, told to the entry that is recorded: the same for `lightning` and `pytorch_lightning`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ocr_otel.recording import recorder_for
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.settings import Settings, load
from ocr_otel.telemetry import session_for_process
from ocr_otel.telemetry.failures import MAX_FAILURES, attempt, report
from ocr_otel.training import unended
from ocr_otel.training.batch_size import find_batch_size
from ocr_otel.training.guard import guarded, say_off
from ocr_otel.training.identity import identity_of
from ocr_otel.training.listening import Listen, listens_not
from ocr_otel.training.log_bridge import check_logs
from ocr_otel.training.open_entry import OpenEntry
from ocr_otel.training.verdicts import Present, Verdicts


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
        self._failures = 0
        self._open: OpenEntry | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Lightning pickles the Trainer to spawn ranks; what is open in this process stays here.
        return self.__dict__ | {"_open": None}

    # --- the entry ----------------------------------------------------------------------------------------------------

    @guarded
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """An entry begins."""
        if self._silenced or not self._first_of(trainer) or self._open is not None:
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
        self._open = entry = OpenEntry(recorder, self._settings, self._verdicts, self._batch_size, self.failed)
        name = str(getattr(stage, "value", stage))
        entry.begin(trainer, pl_module, name, self._listen, lambda: self._end_untold(trainer))

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
        entry = self._open
        if entry is None or entry.recorder.session.pid != os.getpid():
            # A child that the training forked, and that ends as if it were the training.
            return
        self._open = None
        try:
            entry.end(trainer, outcome, error, self._present)
        finally:
            entry.leave(failed=outcome is not Outcome.COMPLETED)

    # --- epochs and validations ---------------------------------------------------------------------------------------

    @guarded
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """The optimisers are there."""
        if self._open is not None:
            self._open.training_begins(trainer, pl_module)

    @guarded
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """An epoch begins, and so the one before is over."""
        if self._open is not None:
            self._open.epoch_begins(trainer, pl_module)

    @guarded
    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """The last epoch is over."""
        if self._open is not None:
            self._open.finish_windows()
            self._open.end_epoch(trainer, pl_module)

    @guarded
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """A validation begins, or the sanity check."""
        if trainer.sanity_checking:
            self._begin_evaluation(trainer, Stage.SANITY_CHECK, trainer.num_sanity_val_batches)
        else:
            self._begin_evaluation(trainer, Stage.VALIDATE, trainer.num_val_batches)

    @guarded
    def on_test_start(self, trainer: Any, pl_module: Any) -> None:
        """A test begins."""
        self._begin_evaluation(trainer, Stage.TEST, trainer.num_test_batches)

    @guarded
    def on_predict_start(self, trainer: Any, pl_module: Any) -> None:
        """A prediction begins."""
        self._begin_evaluation(trainer, Stage.PREDICT, trainer.num_predict_batches)

    def _begin_evaluation(self, trainer: Any, stage: Stage, batches: Any) -> None:
        if self._open is not None:
            self._open.begin_evaluation(trainer, stage, batches)

    @guarded
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """A validation, a test or a prediction ends."""
        if self._open is not None:
            self._open.end_evaluation(trainer)

    on_test_end = on_validation_end
    on_predict_end = on_validation_end

    # --- batches ------------------------------------------------------------------------------------------------------

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int | None = None
    ) -> None:
        """A batch of a validation, a test or a prediction is on its device."""
        # Not decorated: the decorator's call would be a third of this hook's cost.
        entry = self._open
        if entry is None:
            return
        try:
            entry.recorder.path.batch_begins(batch_idx, dataloader_idx, self._batch_size(batch))
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
        entry = self._open
        if entry is None:
            report(self._said, cause, error)
            return
        self._said.add(cause)
        entry.recorder.failed_beside(cause, error)
        self._failures += 1
        if self._failures < MAX_FAILURES and cause != "setup":
            return
        say_off(self._failures, error)
        self._open = None
        try:
            entry.let_go()
        finally:
            entry.leave(failed=False)
