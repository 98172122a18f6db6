"""What the loop does beside training takes long: checkpoints, validations, logging."""

from __future__ import annotations

import contextlib
import io
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import ATTENTION, CONVOLUTIONS, LINES, PERCEPTRON, TINY, Net, validation_seconds
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.working import burn, wait

# --- checkpoints ------------------------------------------------------------------------------------------------------


class SlowStorage(TorchCheckpointIO):
    """Writes a checkpoint, and waits for the storage."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        super().save_checkpoint(checkpoint, path, storage_options)
        wait(self._seconds)


def checkpoints(net: Net, share: float, every: int) -> Case:
    """A checkpoint is written every so many steps, to slow storage."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        often = ModelCheckpoint(filename="often-{step}", every_n_train_steps=every, save_top_k=1)
        return Training(
            Learner(net.make(), meter),
            plan.loader(),
            trainer={"plugins": [SlowStorage(plan.planted * every)], "enable_checkpointing": True},
            callbacks=[often],
        )

    return Case(f"checkpoint-every-{every}-steps-{share:.0%}", "checkpoint", share, build)


class Ballast(torch.nn.Module):
    """A network with a large state that is good for nothing but a large checkpoint."""

    def __init__(self, net: Net, megabytes: int) -> None:
        super().__init__()
        self.net = net.make()
        self.register_buffer("ballast", torch.zeros(megabytes * 2**18))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.net(batch)


class SaveOften(L.Callback):
    """Saves by hand, as scripts do."""

    def __init__(self, every: int, path: Path) -> None:
        self._every = every
        self._path = path

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx % self._every == self._every - 1:
            trainer.save_checkpoint(self._path)


def large_checkpoints(net: Net, share: float, megabytes: int, every: int) -> Case:
    """A large checkpoint is written every so many steps, by a callback of the script."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        return Training(
            Learner(Ballast(net, megabytes), meter), plan.loader(), callbacks=[SaveOften(every, Path("large.ckpt"))]
        )

    return Case(f"checkpoint-of-{megabytes}-megabytes", "checkpoint", share, build)


# --- validations ------------------------------------------------------------------------------------------------------


def validations(net: Net, share: float, times: int, epochs: int = 1, work: float = 0.0) -> Case:
    """Validations take that share, by their number and length.

    Args:
        net: The network.
        share: Share of the time.
        times: Validations in an epoch.
        epochs: Epochs.
        work: Share of a validation in which its step does something else.
    """

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        one = validation_seconds(net)
        seconds = plan.planted * plan.batches / epochs / times
        batches = max(2, round(seconds * (1 - work) / one))
        return Training(
            Learner(net.make(), meter, in_validation=partial(burn, seconds * work / batches)),
            plan.loader(batches=max(times, plan.batches // epochs)),
            plan.loader(batches=batches),
            trainer={"val_check_interval": 1 / times, "max_epochs": epochs},
        )

    how = f"{times}-times-in-{epochs}-epochs" + ("-with-scores" if work else "")
    return Case(f"validation-{how}-{share:.0%}", "validation", share, build)


# --- logging ----------------------------------------------------------------------------------------------------------


class SlowCallback(L.Callback):
    """Does something costly after each batch."""

    def __init__(self, meter: Meter, seconds: float) -> None:
        self._meter = meter
        self._seconds = seconds

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        with self._meter.part("logging"):
            burn(self._seconds)


def slow_callback(net: Net, share: float) -> Case:
    """A callback does something costly after each batch."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        return Training(Learner(net.make(), meter), plan.loader(), callbacks=[SlowCallback(meter, plan.planted)])

    return Case(f"callback-{share:.0%}", "logging", share, build)


class Histograms(L.Callback):
    """Takes a histogram of every parameter after each batch."""

    def __init__(self, meter: Meter, rounds: int) -> None:
        self._meter = meter
        self._rounds = rounds

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        with self._meter.part("logging"):
            for _ in range(self._rounds):
                for parameter in pl_module.parameters():
                    torch.histc(parameter.detach(), 64).tolist()


def histograms(net: Net, share: float, rounds: int) -> Case:
    """Histograms of all parameters are taken after each batch."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        return Training(Learner(net.make(), meter), plan.loader(), callbacks=[Histograms(meter, rounds)])

    return Case("histograms", "logging", share, build)


def logged_values(net: Net, share: float, values: int) -> Case:
    """`self.log` is called many times in each step."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        return Training(Learner(net.make(), meter, values=values), plan.loader(batches=plan.batches // 2))

    return Case(f"self-log-{values}-values", "logging", share, build)


class CountedCSVLogger(CSVLogger):
    """Writes its file after every step."""

    def __init__(self, meter: Meter) -> None:
        super().__init__("csv", flush_logs_every_n_steps=1)
        self._meter = meter

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        with self._meter.part("logging"):
            super().log_metrics(metrics, step)


def csv_every_step(net: Net, share: float, values: int) -> Case:
    """A file is written after every step."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        return Training(
            Learner(net.make(), meter, values=values),
            plan.loader(),
            trainer={"logger": CountedCSVLogger(meter), "log_every_n_steps": 1},
        )

    return Case("csv-every-step", "logging", share, build)


class SlowTerminal(io.StringIO):
    """A terminal behind a slow line."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter
        self.seconds = 0.0

    def write(self, text: str) -> int:
        if self.seconds and text.strip():
            with self._meter.part("logging"):
                wait(self.seconds)
        return len(text)


class Bar(TQDMProgressBar):
    """The usual progress bar, drawn after every batch on a slow terminal."""

    def __init__(self, terminal: SlowTerminal, seconds: float) -> None:
        super().__init__(refresh_rate=1)
        self._terminal = terminal
        self._seconds = seconds

    def init_train_tqdm(self) -> Any:
        with contextlib.redirect_stdout(self._terminal), contextlib.redirect_stderr(self._terminal):
            return super().init_train_tqdm()

    def on_train_epoch_start(self, trainer: L.Trainer, *arguments: Any) -> None:
        super().on_train_epoch_start(trainer, *arguments)
        self._terminal.seconds = self._seconds

    def on_train_end(self, *arguments: Any) -> None:
        self._terminal.seconds = 0.0
        super().on_train_end(*arguments)


def progress_bar(net: Net, share: float) -> Case:
    """The progress bar is drawn after every batch, on a slow terminal."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        # The bar writes a second time where its figures have changed, now and then.
        bar = Bar(SlowTerminal(meter), 0.8 * plan.planted)
        return Training(Learner(net.make(), meter), plan.loader(), callbacks=[bar])

    return Case(f"progress-bar-{share:.0%}", "logging", share, build)


CASES = (
    checkpoints(LINES, 0.35, every=5),
    large_checkpoints(CONVOLUTIONS, 0.50, megabytes=28, every=6),
    checkpoints(PERCEPTRON, 0.70, every=20),
    checkpoints(ATTENTION, 0.28, every=15),
    validations(CONVOLUTIONS, 0.70, times=8),
    validations(LINES, 0.60, times=1),
    validations(PERCEPTRON, 0.65, times=1, epochs=6),
    validations(ATTENTION, 0.60, times=2, work=0.7),
    slow_callback(LINES, 0.40),
    logged_values(PERCEPTRON, 0.60, values=14),
    histograms(PERCEPTRON, 0.60, rounds=2),
    csv_every_step(TINY, 0.60, values=4),
    progress_bar(ATTENTION, 0.45),
    slow_callback(PERCEPTRON, 0.70),
)
