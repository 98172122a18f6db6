"""Moving batches to the device, with the hooks around it, takes long."""

from __future__ import annotations

from typing import Any

import torch

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import ATTENTION, CONVOLUTIONS, LINES, PERCEPTRON, Net
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.working import burn, wait

KIND = "transfer"


def slow_after_transfer(net: Net, share: float) -> Case:
    """A hook works on each batch when it is on the device."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)

        def augment(batch: Any) -> Any:
            burn(plan.planted)
            return batch

        return Training(Learner(net.make(), meter, after_transfer=augment), plan.loader())

    return Case(f"after-transfer-{share:.0%}", KIND, share, build)


def augmented_after_transfer(net: Net, share: float) -> Case:
    """Noise and blur are added to each batch, by torch's own operators, again and again."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        kernel = torch.full((1, 1, 5, 5), 0.04)

        def augment(batch: torch.Tensor) -> torch.Tensor:
            for _ in range(40):
                batch = torch.nn.functional.conv2d(batch + 0.01 * torch.randn_like(batch), kernel, padding=2)
            return batch

        return Training(Learner(net.make(), meter, after_transfer=augment), plan.loader())

    return Case("augmented-after-transfer", KIND, share, build)


def slow_move(net: Net, share: float) -> Case:
    """The move itself waits, as for a bus that others use."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)

        def move(batch: Any) -> Any:
            wait(plan.planted)
            return batch.clone()

        return Training(Learner(net.make(), meter, to_device=move), plan.loader())

    return Case(f"move-{share:.0%}", KIND, share, build)


CASES = (
    slow_after_transfer(PERCEPTRON, 0.40),
    slow_after_transfer(LINES, 0.75),
    slow_move(ATTENTION, 0.50),
    augmented_after_transfer(CONVOLUTIONS, 0.50),
)
