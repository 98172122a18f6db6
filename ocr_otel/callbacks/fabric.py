"""Fabric's loops, as far as their hooks carry: Fabric itself calls one of them, the user's loop the others."""

from __future__ import annotations

import atexit
import os
from pathlib import Path
from typing import Any

from ocr_otel import semconv
from ocr_otel.callbacks.binding import judge, present
from ocr_otel.recording import Judgement, Recorder, journal, recorder_for
from ocr_otel.recording.contexts import FetchContext
from ocr_otel.recording.journal import TimedContext
from ocr_otel.resources.monitor import Monitor
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.settings import Settings, load
from ocr_otel.telemetry import session_for_process
from ocr_otel.telemetry.failures import MAX_FAILURES, report
from ocr_otel.training.batch_size import find_batch_size
from ocr_otel.training.guard import Parts, guarded, say_off
from ocr_otel.training.identity import identity_of
from ocr_otel.training.log_bridge import bridge_logs, check_logs
from ocr_otel.training.resources import monitor_for


class FabricCallback:
    """Records a Fabric loop.

    `fabric.setup` begins the run, its process's end ends it. Epochs and batches are there where the loop calls
    `fabric.call("on_train_epoch_start")`, `("on_train_batch_start", batch, batch_idx)`, `("on_train_batch_end", ...)`,
    `("on_train_epoch_end")` and the same of `validation`. Between two batches Fabric's user waits for data: that is the
    phase `fetch`; the batch itself is one phase, `forward`, because Fabric does not say where backward begins.

    Raises:
        SettingsError: A setting is wrong.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or load()
        self._recorder: Recorder | None = None
        self._monitor: Monitor | None = None
        self._said: set[str] = set()
        self._failures = 0
        self._parts = Parts(self.failed)
        self._epochs = -1
        self._batches = 0

    @guarded
    def on_after_setup(self, fabric: Any, module: Any) -> None:
        """The first module is set up: the run begins."""
        if self._recorder is not None:
            return
        session = session_for_process(self._settings, lambda: identity_of(fabric, self._settings))
        if session is None:
            return
        check_logs(self._settings)
        recorder = recorder_for(session, self._settings)
        if recorder.busy:
            return
        configuration = {
            semconv.LIGHTNING_PACKAGE: type(fabric).__module__.partition(".")[0],
            semconv.CONFIG_PREFIX + "strategy": type(fabric.strategy).__name__,
            semconv.CONFIG_PREFIX + "world_size": fabric.world_size,
            semconv.CONFIG_PREFIX + "parameters": sum(parameter.numel() for parameter in module.parameters()),
        }
        self._recorder = recorder
        self._parts = parts = Parts(recorder.failed_beside)
        self._monitor = monitor = parts.attempt("resources", lambda: monitor_for(recorder, self._settings))
        if monitor is not None:
            parts.end_by("resources", monitor.stop)
            parts.attempt("resources", lambda: monitor.start([Path.cwd()]))
        recorder.begin_entry(
            semconv.FIT,
            configuration,
            (Stage.TRAIN, Stage.VALIDATE),
            lambda: self._batches,
            lambda *known: parts.attempt("verdict", lambda: judge(*known)) or Judgement(),
            monitor,
        )
        parts.attempt("logs", lambda: bridge_logs(recorder, self._settings))
        self._fetch = FetchContext(recorder.path)
        self._step = TimedContext(recorder.path.journal, journal.FORWARD)
        self._waiting = False
        # Fabric's loops have no end of their own.
        atexit.register(self.finish)

    @guarded
    def finish(self) -> None:
        """End the run."""
        recorder, self._recorder = self._recorder, None
        if recorder is None or recorder.session.pid != os.getpid():
            # A child that the loop forked, and that ends as if it were the loop's process.
            return
        atexit.unregister(self.finish)
        self._stop_reading()
        summary = self._parts.attempt("end_entry", lambda: recorder.end_entry(Outcome.COMPLETED))
        if recorder.busy:
            self._parts.attempt("abandon", recorder.abandon)
        if summary is not None and self._settings.summary and recorder.session.identity.rank == 0:
            self._parts.attempt("summary", lambda: present(summary))

    def _stop_reading(self) -> None:
        if self._monitor is not None:
            self._parts.attempt("resources", self._monitor.stop)

    @guarded
    def on_train_epoch_start(self, *args: Any, **kwargs: Any) -> None:
        """An epoch begins."""
        self._epochs += 1
        self._begin(Stage.TRAIN)

    @guarded
    def on_validation_epoch_start(self, *args: Any, **kwargs: Any) -> None:
        """A validation begins."""
        self._begin(Stage.VALIDATE)

    @guarded
    def on_train_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """An epoch ends."""
        self._end()

    @guarded
    def on_validation_epoch_end(self, *args: Any, **kwargs: Any) -> None:
        """A validation ends."""
        self._end()

    @guarded
    def on_train_batch_start(self, batch: Any = None, batch_idx: int | None = None, *args: Any, **kwargs: Any) -> None:
        """A batch is there."""
        self._batch_begins(batch, batch_idx)

    @guarded
    def on_validation_batch_start(
        self, batch: Any = None, batch_idx: int | None = None, *args: Any, **kwargs: Any
    ) -> None:
        """A batch of a validation is there."""
        self._batch_begins(batch, batch_idx)

    @guarded
    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """A batch is done."""
        self._batches += 1
        self._batch_ends()

    @guarded
    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """A batch of a validation is done."""
        self._batch_ends()

    def _begin(self, stage: Stage) -> None:
        if self._recorder is not None:
            self._waiting = False
            self._recorder.begin_loop(stage, max(0, self._epochs), float("inf"))
            self._index = 0
            self._wait()

    def _end(self) -> None:
        if self._recorder is not None:
            self._waiting = False
            self._recorder.end_loop({})

    def _wait(self) -> None:
        assert self._recorder is not None
        self._fetch.__enter__()
        self._waiting = True

    def _batch_begins(self, batch: Any, batch_idx: int | None) -> None:
        recorder = self._recorder
        if recorder is None or not self._waiting:
            return
        self._fetch.__exit__(None, None, None)
        recorder.path.batch_begins(self._index if batch_idx is None else batch_idx, None, find_batch_size(batch))
        self._index += 1
        self._step.__enter__()

    def _batch_ends(self) -> None:
        if self._recorder is not None and self._waiting:
            self._step.__exit__(None, None, None)
            self._wait()

    def failed(self, cause: str, error: Exception) -> None:
        """Log a failure of ours once, count it, and stop recording when there are too many."""
        recorder = self._recorder
        if recorder is None:
            report(self._said, cause, error)
            return
        self._said.add(cause)
        recorder.failed_beside(cause, error)
        self._failures += 1
        if self._failures < MAX_FAILURES and cause != "on_after_setup":
            return
        say_off(self._failures, error)
        self._recorder = None
        atexit.unregister(self.finish)
        self._stop_reading()
        self._parts.attempt("abandon", recorder.abandon)
