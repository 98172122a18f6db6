"""Two things are planted, and one of them is clearly larger."""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

from lightning.pytorch.callbacks import ModelCheckpoint

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.cases.beside import SlowCallback, SlowStorage
from tests.diagnosis.trainings.cases.optimizer import SlowSGD
from tests.diagnosis.trainings.cases.process import Collecting, heap
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import ATTENTION, CONVOLUTIONS, LINES, PERCEPTRON, Net, validation_seconds
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.working import burn, interpret, wait


def data_and_logging(net: Net, share: float, second: float) -> Case:
    """A slow dataset, and a callback that is half as slow."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share, others=second)
        return Training(
            Learner(net.make(), meter),
            plan.loader(partial(burn, plan.per_sample)),
            callbacks=[SlowCallback(meter, plan.other)],
        )

    return Case("data-before-logging", "data", share, build, second="logging")


def data_and_collections(net: Net, share: float, second: float) -> Case:
    """A slow dataset, and a garbage collector that is called after each batch."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share, others=second)
        module = Learner(net.make(), meter)
        module.held = heap(plan.other)
        gc.collect()
        return Training(module, plan.loader(partial(wait, plan.per_sample)), callbacks=[Collecting()])

    return Case("data-before-memory", "data", share, build, second="memory")


def checkpoints_and_validation(net: Net, share: float, second: float) -> Case:
    """Checkpoints to slow storage, and a validation."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share, others=second)
        every = 6
        return Training(
            Learner(net.make(), meter),
            plan.loader(),
            plan.loader(batches=max(2, round(plan.other * plan.batches / validation_seconds(net)))),
            trainer={"plugins": [SlowStorage(plan.planted * every)], "enable_checkpointing": True},
            callbacks=[ModelCheckpoint(every_n_train_steps=every)],
        )

    return Case("checkpoint-before-validation", "checkpoint", share, build, second="validation")


def optimizer_and_transfer(net: Net, share: float, second: float) -> Case:
    """A costly optimiser, and a costly hook after the transfer."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share, others=second)

        def augment(batch: Any) -> Any:
            burn(plan.other)
            return batch

        module = Learner(
            net.make(),
            meter,
            lambda module: SlowSGD(module.parameters(), plan.planted),
            after_transfer=augment,
        )
        return Training(module, plan.loader())

    return Case("optimizer-before-transfer", "optimizer", share, build, second="transfer")


def transfer_and_data(net: Net, share: float, second: float) -> Case:
    """A costly hook after the transfer, and a dataset that is half as slow."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share, others=second)

        def augment(batch: Any) -> Any:
            burn(plan.planted)
            return batch

        work = partial(wait, plan.other / net.batch_size)
        return Training(Learner(net.make(), meter, after_transfer=augment), plan.loader(work))

    return Case("transfer-before-data", "transfer", share, build, second="data")


def host_and_data(net: Net, share: float, second: float) -> Case:
    """Python in each step, and a dataset that is slow too."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share, others=second)
        return Training(
            Learner(net.make(), meter, in_step=partial(interpret, plan.planted)),
            plan.loader(partial(burn, plan.other / net.batch_size)),
        )

    return Case("launch-before-data", "launch", share, build, part="host", second="data")


CASES = (
    data_and_logging(LINES, 0.48, 0.20),
    data_and_collections(ATTENTION, 0.50, 0.10),
    checkpoints_and_validation(CONVOLUTIONS, 0.48, 0.16),
    optimizer_and_transfer(LINES, 0.50, 0.15),
    transfer_and_data(ATTENTION, 0.45, 0.18),
    host_and_data(PERCEPTRON, 0.60, 0.12),
)
