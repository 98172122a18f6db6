"""The Trainer's strategy as the place where loaders, checkpoints and manual backward passes are seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from torch.utils._pytree import tree_leaves

from ocr_otel.recording import Recorder
from ocr_otel.semconv import Section
from ocr_otel.telemetry.failures import attempt
from ocr_otel.training.dataloaders import DataLoaderSeam
from ocr_otel.training.profiler_seam import Contexts, Failed
from ocr_otel.training.wrapping import wrap


class StrategySeam:
    """Wraps four methods of one strategy object, and takes the wrappers away again.

    Args:
        trainer: The Trainer.
        recorder: Where it is told.
        contexts: The contexts of the profiler seam.
        failed: Called with what fails on our side.
    """

    def __init__(self, trainer: Any, recorder: Recorder, contexts: Contexts, failed: Failed) -> None:
        self._strategy = trainer.strategy
        self._recorder = recorder
        self._contexts = contexts
        self._failed = failed
        self._trainer = trainer
        self._starting_ns = 0
        self._loaders = DataLoaderSeam(
            recorder.path.journal.arrived.append, recorder.worker_ids, self._loader_started, failed
        )
        self._handles: list[Any] = []
        self._undo: list[Callable[[], None]] = []
        self._steps_asked = 0
        self._steps_done = 0
        self._wrap("process_dataloader", self._process_dataloader)
        self._wrap("save_checkpoint", self._save_checkpoint)
        self._wrap("load_checkpoint", self._load_checkpoint)

    def _wrap(self, name: str, wrapper: Callable[..., Any]) -> None:
        self._undo.append(wrap(self._strategy, name, wrapper))

    def remove(self) -> None:
        """Leave strategy, loaders and optimisers as they were."""
        while self._undo:
            self._undo.pop()()
        self._loaders.remove()
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def training_begins(self, module: Any) -> None:
        """Wrap what is known only now: manual backward passes, and steps that a gradient scaler may skip."""
        if not module.automatic_optimization:
            self._wrap("backward", self._backward)
        if getattr(self._strategy.precision_plugin, "scaler", None) is not None:
            self._wrap("optimizer_step", self._optimizer_step)
            for optimizer in self._strategy.optimizers:
                self._handles.append(optimizer.register_step_post_hook(self._step_done))

    def take_skipped_steps(self) -> int:
        """Return the steps skipped since the last call."""
        skipped = self._steps_asked - self._steps_done
        self._steps_asked = self._steps_done = 0
        return skipped

    def take_starting(self) -> float:
        """Return the seconds in which the training's dataloaders were started since the last call."""
        taken, self._starting_ns = self._starting_ns / 1e9, 0
        return taken

    def _loader_started(self, loader: object, took: int) -> None:
        # Loaders of a validation start in its own time.
        if any(loader is each for each in tree_leaves(self._trainer.train_dataloader)):
            self._starting_ns += took

    def _optimizer_step(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._steps_asked += 1
        return original(*args, **kwargs)

    def _step_done(self, *_: Any) -> None:
        # Called by torch only where the scaler lets the step happen: no value of the device is read for it.
        self._steps_done += 1

    def _backward(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self._contexts.backward:
            return original(*args, **kwargs)

    def _process_dataloader(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        loader = original(*args, **kwargs)
        try:
            self._loaders.install(loader)
        except Exception as error:
            self._failed("dataloader", error)
        return loader

    def _save_checkpoint(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        # Gathering the state, which comes before, is part of saving.
        start = self._contexts.save_checkpoint.since or perf_counter_ns()
        vitals = self._recorder.vitals
        before = attempt(lambda: vitals.section(Section.CHECKPOINT), self._failed, "vitals")
        try:
            result = original(*args, **kwargs)
        finally:
            if before is not None:
                attempt(lambda: vitals.back_to(before), self._failed, "vitals")
        end = perf_counter_ns()
        try:
            path = kwargs.get("filepath", args[1] if len(args) > 1 else "")
            self._recorder.checkpoints.saved(start, end, os.path.basename(str(path)), _size(path))
        except Exception as error:
            self._failed("save_checkpoint", error)
        return result

    def _load_checkpoint(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        start = perf_counter_ns()
        result = original(*args, **kwargs)
        end = perf_counter_ns()
        try:
            path = kwargs.get("checkpoint_path", args[0] if args else "")
            self._recorder.checkpoints.loaded(start, end, os.path.basename(str(path)))
        except Exception as error:
            self._failed("load_checkpoint", error)
        return result


def _size(path: Any) -> int | None:
    """Return the bytes of a checkpoint, directories summed; None where it is not on a local disk."""
    local = Path(str(path))
    if local.is_file():
        return local.stat().st_size
    if local.is_dir():
        return sum(part.stat().st_size for part in local.rglob("*") if part.is_file())
    return None
