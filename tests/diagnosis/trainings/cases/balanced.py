"""Nothing stands out: each part takes what it takes in a healthy training."""

from __future__ import annotations

from functools import partial
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader

from tests.diagnosis.trainings.case import NONE, Case, Training
from tests.diagnosis.trainings.cases.beside import SlowCallback
from tests.diagnosis.trainings.cases.optimizer import adam
from tests.diagnosis.trainings.cases.process import heap
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import (
    ATTENTION,
    CONVOLUTIONS,
    DEEP,
    LINES,
    PERCEPTRON,
    TINY,
    WIDE,
    Net,
    efficiency,
    growth,
    validation_seconds,
)
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.samples import Stream
from tests.diagnosis.trainings.working import burn, interpret, wait


class CountedBar(TQDMProgressBar):
    """The usual progress bar."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def on_train_batch_end(self, *arguments: Any) -> None:
        with self._meter.part("logging"):
            super().on_train_batch_end(*arguments)


def balanced(
    name: str,
    net: Net,
    data: float = 0.0,
    validation: float = 0.0,
    logging: float = 0.0,
    host: float = 0.0,
    transfer: float = 0.0,
    epochs: int = 1,
    values: int = 0,
    saves: bool = False,
    optimizer: Any = None,
    objects: float = 0.0,
    **trainer: Any,
) -> Case:
    """A healthy training.

    Args:
        name: Its name.
        net: The network.
        data: Share of the time that making batches takes, in the training's own process.
        validation: Share of the time that validations take.
        logging: Share of the time that a callback takes.
        host: Share of the time that Python takes in each step.
        transfer: Share of the time that a hook after the transfer takes.
        epochs: Epochs.
        values: Values that each step logs.
        saves: Whether a checkpoint is written after each epoch.
        optimizer: Makes the optimiser.
        objects: Seconds that the garbage collector would take, were it called.
        trainer: Arguments of the Trainer.
    """

    def build(meter: Meter) -> Training:
        # Of the tiny steps nearly all is Lightning's loop.
        if net is not TINY:
            looked_at(net, meter)
        plan = Plan(net, data + validation + logging + host + transfer, *([optimizer] if optimizer else []))

        def augment(batch: Any) -> Any:
            burn(transfer * plan.whole)
            return batch

        module = Learner(
            net.make(),
            meter,
            *([optimizer] if optimizer else []),
            in_step=partial(interpret, host * plan.whole) if host else None,
            after_transfer=augment if transfer else None,
            values=values,
        )
        if objects:
            module.held = heap(objects)
        validating = round(validation * plan.whole * plan.batches / epochs / validation_seconds(net))
        callbacks: list[Any] = [SlowCallback(meter, logging * plan.whole)] if logging else []
        if saves:
            callbacks.append(ModelCheckpoint())
        arguments = {"max_epochs": epochs, "enable_checkpointing": saves, **trainer}
        if arguments.pop("bar", False):
            callbacks.append(CountedBar(meter))
        return Training(
            module,
            plan.loader(partial(burn, data * plan.whole / net.batch_size), batches=max(2, plan.batches // epochs)),
            plan.loader(batches=max(1, validating)) if validation else None,
            trainer=arguments,
            callbacks=callbacks,
            threads=net.threads,
        )

    return Case(name, NONE, 0.0, build)


def looked_at(net: Net, meter: Meter) -> None:
    """Measure that the network itself does arithmetic, and neither calls nor memory hold it up."""
    meter.growth = growth(net)
    meter.efficiency = efficiency(net)


def workers_keep_up(net: Net, workers: int, busy: float) -> Case:
    """Workers are busy for that share of the time, and always ahead."""

    def build(meter: Meter) -> Training:
        looked_at(net, meter)
        plan = Plan(net, 0.0)
        work = partial(wait, busy * workers * plan.rest / net.batch_size)
        return Training(Learner(net.make(), meter), plan.loader(work, num_workers=workers), threads=net.threads)

    return Case(f"{workers}-workers-keep-up", NONE, 0.0, build)


def stream_keeps_up(net: Net, busy: float) -> Case:
    """A stream's worker is always ahead."""

    def build(meter: Meter) -> Training:
        looked_at(net, meter)
        plan = Plan(net, 0.0)
        work = partial(wait, busy * plan.rest / net.batch_size)
        stream = Stream(plan.batches * net.batch_size, net.sample, work)
        return Training(Learner(net.make(), meter), DataLoader(stream, batch_size=net.batch_size, num_workers=1))

    return Case("stream-keeps-up", NONE, 0.0, build)


CASES = (
    balanced("healthy-perceptron", PERCEPTRON),
    balanced("tiny-steps", TINY),
    balanced("a-bit-of-everything", LINES, data=0.05, validation=0.12, logging=0.04, transfer=0.03, values=1),
    workers_keep_up(WIDE, workers=2, busy=0.5),
    balanced("healthy-validation", CONVOLUTIONS, validation=0.18, data=0.03),
    balanced("short-epochs", ATTENTION, epochs=5, validation=0.10, values=1),
    balanced("adam", CONVOLUTIONS, optimizer=adam, data=0.03),
    balanced("gradients-accumulated", ATTENTION, accumulate_grad_batches=4, data=0.05),
    balanced("many-objects", CONVOLUTIONS, objects=0.02, data=0.03),
    stream_keeps_up(LINES, 0.5),
    balanced("long-steps", Net(DEEP.make, DEEP.sample, 16), validation=0.10, saves=True, values=2),
    balanced("python-in-the-step", CONVOLUTIONS, host=0.08, transfer=0.05, data=0.05, values=1),
    balanced("progress-bar-and-logger", DEEP, values=2, bar=True, logger=CSVLogger("logs")),
    balanced("callback-and-clipping", ATTENTION, logging=0.07, gradient_clip_val=1.0, data=0.04),
)
