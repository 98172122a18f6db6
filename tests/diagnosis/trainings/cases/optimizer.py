"""The optimiser's step takes long."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import ATTENTION, LINES, TINY, Net
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.working import burn

KIND = "optimizer"


def optimizer_works(name: str, net: Net, share: float, optimizer: Callable[[nn.Module], torch.optim.Optimizer]) -> Case:
    """Nothing is planted but the optimiser and what it has to step."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, 0.0, optimizer)
        return Training(Learner(net.make(), meter, optimizer), plan.loader())

    return Case(name, KIND, share, build)


class ManyParameters(nn.Module):
    """A small network with a great many small parameters."""

    def __init__(self, parameters: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.scales = nn.ParameterList(nn.Parameter(torch.ones(8)) for _ in range(parameters))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        scale = torch.cat(list(self.scales)).sum() / (8 * len(self.scales))
        for _ in range(6):
            batch = self.layer(batch)
        return batch * scale


class Vocabulary(nn.Module):
    """A large table of which a batch uses a few rows, with gradients for all."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.table = nn.Embedding(rows, 64)
        self.layer = nn.Linear(64, 64)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.layer(self.table((batch.abs() * 100).long().clamp(0, self.table.num_embeddings - 1)))


class SlowSGD(torch.optim.SGD):
    """A step with something costly before it, for example a decomposition of the gradients."""

    def __init__(self, parameters: object, seconds: float) -> None:
        super().__init__(parameters, lr=1e-4)
        self._seconds = seconds

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss = closure() if closure is not None else None
        burn(self._seconds)
        super().step()
        return loss


def slow_optimizer(net: Net, share: float) -> Case:
    """The optimiser's step does something costly."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        module = Learner(net.make(), meter, lambda module: SlowSGD(module.parameters(), plan.planted))
        return Training(module, plan.loader())

    return Case(f"step-of-the-optimiser-{share:.0%}", KIND, share, build)


def adam_one_by_one(module: nn.Module) -> torch.optim.Optimizer:
    """Return Adam that steps each parameter by itself."""
    return torch.optim.Adam(module.parameters(), lr=1e-4, foreach=False)


def adam(module: nn.Module) -> torch.optim.Optimizer:
    """Return AdamW as it is."""
    return torch.optim.AdamW(module.parameters(), lr=1e-4)


CASES = (
    optimizer_works("many-parameters", Net(lambda: ManyParameters(250), (64,), 16), 0.60, adam_one_by_one),
    slow_optimizer(LINES, 0.50),
    optimizer_works("large-vocabulary", Net(lambda: Vocabulary(30_000), (12,), 4), 0.70, adam),
    slow_optimizer(ATTENTION, 0.65),
    slow_optimizer(TINY, 0.60),
)
