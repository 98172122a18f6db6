"""The place where Lightning turns from training to validation, before it makes the loaders' iterators."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from ocr_otel.recording import BatchPath
from ocr_otel.semconv import Stage
from ocr_otel.training.wrapping import wrap


class ValidationSeam:
    """Wraps the validation loop of one Trainer's fit, and takes the wrapper away again.

    No hook is called there: the first is `on_validation_start`, when workers have been started. There is
    `on_validation_model_zero_grad`, but not between batches whose gradients are accumulated.

    Args:
        trainer: The Trainer.
        path: Told of it.
    """

    def __init__(self, trainer: Any, path: BatchPath) -> None:
        self._path = path
        self._undo = wrap(trainer.fit_loop.epoch_loop.val_loop, "run", self._run)

    def remove(self) -> None:
        """Leave the loop as it was."""
        self._undo()

    def _run(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        path = self._path
        training = path.loop is not None and path.loop.stage is Stage.TRAIN
        if training:
            path.interrupted(perf_counter_ns())
        result = original(*args, **kwargs)
        if training:
            path.goes_on()
        return result
