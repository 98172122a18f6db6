"""Binds the profiler's windows, and those who may ask for one, to a Trainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.windows.controller import WindowController
from ocr_otel.profiling.windows.results import JudgeWindow
from ocr_otel.recording import Recorder
from ocr_otel.settings import Settings
from ocr_otel.training.on_demand import OnDemand
from ocr_otel.training.profiler_seam import Contexts

Failed = Callable[[str, Exception], None]


class TrainerSurface:
    """What the windows need of a Trainer; see `shutter.Surface`."""

    def __init__(self, trainer: Any, contexts: Contexts) -> None:
        self._trainer = trainer
        self._contexts = contexts

    def ranges(self, on: bool) -> None:
        """Let the parts of batches show in the trace, or no longer."""
        self._contexts.ranges(on)

    def profiled_by_user(self) -> bool:
        """Return whether the Trainer's own profiler is one of torch's: `PyTorchProfiler`, or one made of it."""
        return any(base.__name__ == "PyTorchProfiler" for base in type(self._trainer.profiler).__mro__)


class TrainingWindows:
    """The windows of a Trainer's entry, from its beginning to its end.

    Args:
        recorder: Records the entry.
        settings: The settings; one of the ways in which windows open is on.
        trainer: The Trainer.
        contexts: The contexts of its actions.
        judge: Judges what a window shows.
        failed: Takes a failure with its cause.
    """

    def __init__(
        self,
        recorder: Recorder,
        settings: Settings,
        trainer: Any,
        contexts: Contexts,
        judge: JudgeWindow,
        failed: Failed,
    ) -> None:
        self._controller = WindowController(recorder, settings, TrainerSurface(trainer, contexts), judge, failed)
        self._on_demand = OnDemand(self._controller, recorder.session, trainer, failed)
        recorder.path.watcher = self._controller
        self._on_demand.start()

    def loop_begins(self) -> None:
        """Lightning has taken the signals that it needs; one that is free is ours."""
        self._on_demand.take_signal()

    def last(self) -> WindowProfile | None:
        """Return what the last window in the training's own batches showed."""
        return self._controller.last()

    def finish(self) -> None:
        """The training is over: close what is open, and wait for what is being read, within the bound."""
        self._controller.finish()

    def remove(self) -> None:
        """Listen no longer."""
        self._on_demand.stop()


def windows_of(
    recorder: Recorder, settings: Settings, trainer: Any, contexts: Contexts, judge: JudgeWindow, failed: Failed
) -> TrainingWindows | None:
    """Return the windows of a Trainer's entry; None where the settings say that none opens. See `TrainingWindows`."""
    if not settings.profile and not settings.profile_every:
        return None
    return TrainingWindows(recorder, settings, trainer, contexts, judge, failed)
