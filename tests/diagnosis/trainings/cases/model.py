"""The model's own work stands out: arithmetic, memory, or the host that asks for too little at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import (
    ATTENTION,
    CONVOLUTIONS,
    DEEP,
    PERCEPTRON,
    WIDE,
    Along,
    Attention,
    Net,
    convolutions,
    efficiency,
    growth,
)
from tests.diagnosis.trainings.planning import Plan
from tests.diagnosis.trainings.working import interpret, wait


def model_works(kind: str, name: str, net: Net, share: float = 0.87, grows: bool = True) -> Case:
    """Nothing is planted but the model itself; what it is made of says which kind it is.

    Args:
        kind: The label.
        name: The case.
        net: The network.
        share: What its forward and backward take of the time.
        grows: Whether a larger batch tells operators that are long from many that are short.
    """

    def build(meter: Meter) -> Training:
        plan = Plan(net, 0.0)
        meter.growth = growth(net) if grows else 0.0
        if kind != "launch":
            meter.efficiency = efficiency(net)
        return Training(Learner(net.make(), meter), plan.loader(), threads=net.threads)

    return Case(name, kind, share, build, part="model")


class TinyOperators(nn.Module):
    """Hundreds of operators on a handful of numbers."""

    def __init__(self, operators: int) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.operators = operators

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        batch = self.layer(batch)
        for number in range(self.operators):
            batch = batch * 0.999 + 0.001 if number % 2 else batch.tanh()
        return batch


class CellByCell(nn.Module):
    """A recurrent layer written as a loop in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(4, 12)

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        hidden, state = self.cell(lines[:, 0])
        for step in range(1, lines.shape[1]):
            hidden, state = self.cell(lines[:, step], (hidden, state))
        return hidden


class SampleBySample(nn.Module):
    """Each sample of the batch goes through the network alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.GELU(), nn.Linear(16, 4))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.layers(sample) for sample in batch])


def host_works(net: Net, share: float, work: Callable[[float], object]) -> Case:
    """Each training step does something else than asking for operators."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        return Training(Learner(net.make(), meter, in_step=lambda: work(plan.planted)), plan.loader())

    return Case(f"step-{work.__name__}-{share:.0%}", "launch", share, build, part="host")


class Elementwise(nn.Module):
    """A chain of element-wise operators on tensors far larger than any cache."""

    def __init__(self, operators: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.operators = operators

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        batch = batch * self.scale
        for _ in range(self.operators):
            batch = (batch + 0.5) * 0.9
        return batch


class Normalising(nn.Module):
    """Activations and normalisations of large tensors, with hardly a product between."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(512) for _ in range(3))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        for norm in self.norms:
            batch = torch.relu(norm(batch)) + batch
        return batch


class Rearranging(nn.Module):
    """Copies: transposed, joined and cut again."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        batch = batch * self.scale
        for _ in range(4):
            batch = torch.cat([batch, batch], dim=1).transpose(1, 2).contiguous().transpose(1, 2)[:, ::2].contiguous()
        return batch


CASES = (
    model_works("launch", "tiny-operators", Net(lambda: TinyOperators(300), (8,), 4), 0.80),
    host_works(ATTENTION, 0.60, interpret),
    model_works("launch", "cell-by-cell", Net(CellByCell, (64, 4), 2), 0.80),
    host_works(PERCEPTRON, 0.70, interpret),
    model_works("launch", "sample-by-sample", Net(SampleBySample, (16,), 48), 0.80, grows=False),
    host_works(CONVOLUTIONS, 0.55, wait),
    model_works("compute", "convolutions", DEEP),
    model_works("compute", "wide-layers", WIDE, 0.80),
    model_works("compute", "attention", Net(lambda: Attention(128, 2), (96, 128), 8)),
    model_works("compute", "convolutions-of-a-line", Net(lambda: convolutions(24, 48, 96), (1, 32, 192), 8)),
    model_works("compute", "line-reader", Net(lambda: Along(64, 24), (1, 48, 96), 8)),
    model_works("memory_bandwidth", "element-wise", Net(lambda: Elementwise(6), (512, 1024), 4)),
    model_works("memory_bandwidth", "normalising", Net(Normalising, (1024, 512), 4)),
    model_works("memory_bandwidth", "rearranging", Net(Rearranging, (256, 1024), 8)),
    model_works("memory_bandwidth", "element-wise-long", Net(lambda: Elementwise(20), (512, 512), 4)),
)
