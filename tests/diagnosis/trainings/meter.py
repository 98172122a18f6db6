"""What a training measures of itself, apart from what judges it: the seconds of each part, by the wall clock."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from time import perf_counter
from typing import Any

import lightning as L
from torch.utils.data import dataloader


class Meter:
    """Adds up parts of a training.

    Attributes:
        seconds: By the part's name. A part inside another counts in both.
        growth: How many times as long the network's step takes with twice the batch; 0 where nobody looked.
        efficiency: The network's arithmetic in the time of a step, as a share of a matrix product's; None where nobody
            looked.
        measuring: Whether the training's own loop runs; what is planted in workers or before is not counted.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.growth = 0.0
        self.efficiency: float | None = None
        self.measuring = False
        self.validating = False

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what is inside."""
        begun = perf_counter()
        try:
            yield
        finally:
            self.add(name, perf_counter() - begun)

    def add(self, name: str, seconds: float) -> None:
        """Count so many seconds."""
        if self.measuring:
            self.seconds[name] += seconds

    def counting(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work`, counted as a part."""

        @wraps(work)
        def counted(*arguments: Any, **keywords: Any) -> Any:
            with self.part(name):
                return work(*arguments, **keywords)

        return counted

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Measure waits for training data and the garbage collector while inside."""
        fetch = dataloader._BaseDataLoaderIter.__next__
        began = 0.0

        def fetch_counted(iterator: Any) -> Any:
            with self.part("validation data" if self.validating else "data"):
                return fetch(iterator)

        def collected(phase: str, _: Any) -> None:
            nonlocal began
            if phase == "start":
                began = perf_counter()
            else:
                self.add("memory", perf_counter() - began)

        with ExitStack() as undo:
            dataloader._BaseDataLoaderIter.__next__ = fetch_counted
            undo.callback(setattr, dataloader._BaseDataLoaderIter, "__next__", fetch)
            gc.callbacks.append(collected)
            undo.callback(gc.callbacks.remove, collected)
            yield


class Watch(L.Callback):
    """Tells the meter when the training runs, and how long it, its validations and its checkpoints take."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        trainer.save_checkpoint = self._meter.counting("checkpoint", trainer.save_checkpoint)
        self._meter.measuring = True
        self._began = perf_counter()

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._meter.add("wall", perf_counter() - self._began)
        self._meter.measuring = False
        del trainer.save_checkpoint

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._meter.validating = True
        self._validation_began = perf_counter()

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._meter.validating = False
        self._meter.add("validation", perf_counter() - self._validation_began)
