"""The networks that are trained: of several kinds, with steps from half a millisecond to a tenth of a second."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, thread_time

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

LOOP_SECONDS = 0.0003
"""What Lightning's own loop takes of a batch, about; it counts where a step is short."""


@dataclass(frozen=True, slots=True)
class Net:
    """A network and what it is fed.

    Attributes:
        make: Makes it.
        sample: Shape of one sample.
        batch_size: Samples of a batch.
        threads: Threads of torch's operators.
    """

    make: Callable[[], nn.Module]
    sample: Sequence[int]
    batch_size: int
    threads: int = 1


class Along(nn.Module):
    """Convolutions over a text line and a recurrent layer along it."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.columns = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d((4, 4)),
            nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d((8, 1)),
        )  # fmt: skip
        self.along = nn.GRU(2 * channels, hidden, batch_first=True, bidirectional=True)
        self.classify = nn.Linear(2 * hidden, 40)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classify(self.along(self.columns(images).flatten(1, 2).transpose(1, 2))[0])


class Attention(nn.Module):
    """Layers of a transformer's encoder."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True) for _ in range(layers)
        )

    def forward(self, lines: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            lines = layer(lines)
        return lines


def perceptron(*widths: int) -> nn.Sequential:
    """Make linear layers of these widths."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def convolutions(*channels: int) -> nn.Sequential:
    """Make convolutions with these channels."""
    layers: list[nn.Module] = []
    for before, after in itertools.pairwise((1, *channels)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers)


TINY = Net(lambda: nn.Linear(16, 1), (16,), 4)
PERCEPTRON = Net(lambda: perceptron(256, 512, 512, 10), (256,), 64)
CONVOLUTIONS = Net(lambda: convolutions(24, 48, 64), (1, 32, 96), 4)
LINES = Net(lambda: Along(64, 24), (1, 48, 64), 8)
ATTENTION = Net(lambda: Attention(64, 2), (48, 64), 8)
WIDE = Net(lambda: perceptron(1024, 1536, 1536, 64), (1024,), 96)
DEEP = Net(lambda: convolutions(24, 48, 64), (1, 48, 192), 8)


def optimizer_of(module: nn.Module) -> torch.optim.Optimizer:
    """Return what the trainings use where nothing is said of it."""
    return torch.optim.SGD(module.parameters(), lr=1e-4)


def step_seconds(net: Net, optimizer_of: Callable[[nn.Module], torch.optim.Optimizer] = optimizer_of) -> float:
    """Measure what a batch takes with nothing planted, seconds."""
    torch.set_num_threads(net.threads)
    module = net.make()
    optimizer = optimizer_of(module)
    batch = torch.randn(net.batch_size, *net.sample)
    took = []
    for _ in range(7):
        begun = perf_counter()
        module(batch).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        took.append(perf_counter() - begun)
    return statistics.median(took[2:]) + LOOP_SECONDS


def growth(net: Net) -> float:
    """Measure how many times as long a step takes with twice the batch.

    It is about two where the operators' work is what takes time, and about one where calling them is.
    """
    torch.set_num_threads(1)
    module = net.make()
    batches = [torch.randn(times * net.batch_size, *net.sample) for times in (1, 2)]
    fastest = [math.inf, math.inf]
    for _ in range(4):
        for number, batch in enumerate(batches):
            # By the thread's own clock, which stands still while others have the core.
            begun = thread_time()
            module(batch).square().mean().backward()
            fastest[number] = min(fastest[number], thread_time() - begun)
    return fastest[1] / fastest[0]


def efficiency(net: Net) -> float:
    """Measure the arithmetic of a step, as a share of what a plain matrix product does of it in the same time."""
    torch.set_num_threads(1)
    matrix = torch.randn(384, 384)
    module = net.make()
    batch = torch.randn(net.batch_size, *net.sample)
    with FlopCounterMode(display=False) as counter:
        module(batch).square().mean().backward()
    step, product = math.inf, math.inf
    for _ in range(4):
        begun = thread_time()
        module(batch).square().mean().backward()
        middle = thread_time()
        torch.mm(matrix, matrix)
        step, product = min(step, middle - begun), min(product, thread_time() - middle)
    return float(counter.get_total_flops() / step / (2 * matrix.numel() * len(matrix) / product))


def validation_seconds(net: Net) -> float:
    """Measure what a validation batch takes with nothing planted, seconds."""
    torch.set_num_threads(net.threads)
    module = net.make()
    batch = torch.randn(net.batch_size, *net.sample)
    took = []
    with torch.no_grad():
        for _ in range(7):
            begun = perf_counter()
            module(batch).square().mean()
            took.append(perf_counter() - begun)
    return statistics.median(took[2:]) + LOOP_SECONDS
