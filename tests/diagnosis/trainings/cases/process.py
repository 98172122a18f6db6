"""What happens to the process as a whole: compilations, the garbage collector, too many threads, other ranks."""

from __future__ import annotations

import gc
import os
import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import lightning as L
import torch
from torch import nn

from tests.diagnosis.trainings.case import Case, Training
from tests.diagnosis.trainings.learner import Learner
from tests.diagnosis.trainings.meter import Meter
from tests.diagnosis.trainings.nets import ATTENTION, CONVOLUTIONS, LINES, PERCEPTRON, Net, perceptron
from tests.diagnosis.trainings.planning import RUN_SECONDS, Plan

# --- torch.compile ----------------------------------------------------------------------------------------------------


class Compiled(nn.Module):
    """A network that is compiled again for each shape; counts the calls that compile."""

    def __init__(self, net: nn.Module, meter: Meter, crop: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
        super().__init__()
        import torch._dynamo

        torch._dynamo.reset()
        self.net = net
        # Without the compiler behind it, which would take seconds for each shape: what Dynamo alone takes is enough.
        self._compiled = torch.compile(net, backend="aot_eager", dynamic=False)
        self._meter = meter
        self._crop = crop
        self._calls = 0

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        from torch._dynamo.utils import counters

        self._calls += 1
        before = counters["stats"]["unique_graphs"]
        begun = perf_counter()
        result: torch.Tensor = self._compiled(self._crop(batch, self._calls))
        if counters["stats"]["unique_graphs"] > before:
            self._meter.add("compile", perf_counter() - begun)
        return result


class Recompiling(L.Callback):
    """Raises the limit on recompilations while the training runs, as messages of torch advise."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        import torch._dynamo

        self._before = torch._dynamo.config.recompile_limit
        torch._dynamo.config.recompile_limit = 200

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        torch._dynamo.config.recompile_limit = self._before


def recompiles(
    name: str, net: Net, share: float, batches: int, crop: Callable[[torch.Tensor, int], torch.Tensor]
) -> Case:
    """A network is compiled anew for many batches."""

    def build(meter: Meter) -> Training:
        # Once before, so that loading the compiler is not what is measured.
        Compiled(nn.Linear(4, 4), meter, lambda batch, _: batch)(torch.ones(2, 4)).sum().backward()
        plan = Plan(net, 0.0)
        module = Learner(Compiled(net.make(), meter, crop), meter)
        return Training(module, plan.loader(batches=batches), callbacks=[Recompiling()])

    return Case(name, "compile", share, build)


# --- garbage collector ------------------------------------------------------------------------------------------------


class Collecting(L.Callback):
    """Collects garbage after each batch, which scripts do in the hope of freeing memory."""

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        gc.collect()


def heap(seconds: float) -> list[list[object]]:
    """Make objects of which the collector needs so many seconds at each full pass."""
    objects: list[list[object]] = []
    while True:
        objects += [[number, []] for number in range(20_000)]
        begun = perf_counter()
        gc.collect()
        if perf_counter() - begun >= seconds:
            return objects


def collections(net: Net, share: float) -> Case:
    """The garbage collector walks through all objects after each batch."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        module = Learner(net.make(), meter)
        module.held = heap(plan.planted)
        return Training(module, plan.loader(batches=min(plan.batches, 80)), callbacks=[Collecting()])

    return Case(f"collected-after-each-batch-{share:.0%}", "memory", share, build)


def collected_in_step(net: Net, share: float, every: int) -> Case:
    """Each step makes objects that refer to each other, and collects them every few steps."""

    def build(meter: Meter) -> Training:
        plan = Plan(net, share)
        calls = 0

        def cycles() -> None:
            nonlocal calls
            calls += 1
            for _ in range(200):
                node: dict[str, Any] = {}
                node["self"] = node
            if calls % every == 0:
                gc.collect()

        module = Learner(net.make(), meter, in_step=cycles)
        module.held = heap(plan.planted * every)
        return Training(module, plan.loader())

    return Case(f"collected-every-{every}-steps-{share:.0%}", "memory", share, build)


# --- threads ----------------------------------------------------------------------------------------------------------


def seconds_with(net: Net, threads: int) -> float:
    """Measure a step with so many threads."""
    torch.set_num_threads(threads)
    module = net.make()
    batch = torch.randn(net.batch_size, *net.sample)
    took = []
    for _ in range(8):
        begun = perf_counter()
        module(batch).square().mean().backward()
        took.append(perf_counter() - begun)
    return statistics.median(took[2:])


def threads_contend(net: Net, threads: int, share: float) -> Case:
    """Far more threads than cores share the operators' work, and wait for each other."""

    def build(meter: Meter) -> Training:
        good = min(seconds_with(net, 1), seconds_with(net, len(os.sched_getaffinity(0))))
        bad = seconds_with(net, threads)
        batches = max(18, min(300, round(RUN_SECONDS / bad)))
        plan = Plan(net, 0.0)
        lost = Lost(meter, good)
        return Training(Learner(net.make(), meter), plan.loader(batches=batches), callbacks=[lost], threads=threads)

    return Case(f"{threads}-threads", "cpu_contention", share, build)


class Lost(L.Callback):
    """Counts what the model's work took longer than it takes with a thread for each core."""

    def __init__(self, meter: Meter, good: float) -> None:
        self._meter = meter
        self._good = good
        self._batches = 0

    def on_train_batch_end(self, *arguments: Any) -> None:
        self._batches += 1

    def on_train_epoch_end(self, *arguments: Any) -> None:
        self._meter.add("cpu_contention", max(0.0, self._meter.seconds["model"] - self._batches * self._good))


# --- ranks ------------------------------------------------------------------------------------------------------------


class Reducing(L.Callback):
    """Counts what summing up gradients of this size over the ranks takes."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        size = sum(parameter.numel() for parameter in pl_module.parameters())
        took = []
        for _ in range(4):
            gradients = torch.zeros(size)
            begun = perf_counter()
            torch.distributed.all_reduce(gradients)
            took.append(perf_counter() - begun)
        self._once = statistics.median(took[1:])

    def on_train_batch_end(self, *arguments: Any) -> None:
        self._meter.add("communication", self._once)


def gradients_summed(share: float) -> Case:
    """Two ranks sum up large gradients of a small computation."""
    net = Net(lambda: perceptron(64, 1600, 1600, 8), (64,), 4)

    def build(meter: Meter) -> Training:
        plan = Plan(net, 0.0)
        ranks = {"strategy": "ddp", "devices": 2}
        return Training(
            Learner(net.make(), meter), plan.loader(batches=120), trainer=ranks, callbacks=[Reducing(meter)]
        )

    return Case("gradients-of-two-ranks", "communication", share, build, own_process=True)


CASES = (
    recompiles(
        "compiled-for-each-width", CONVOLUTIONS, 0.90, 14, lambda batch, call: batch[..., : 16 + 4 * (call % 20)]
    ),
    recompiles("compiled-for-new-sizes", PERCEPTRON, 0.85, 90, lambda batch, call: batch[: 2 + call // 15]),
    collections(LINES, 0.50),
    collections(PERCEPTRON, 0.80),
    collected_in_step(ATTENTION, 0.45, every=3),
    threads_contend(CONVOLUTIONS, 8, 0.87),
    threads_contend(Net(lambda: perceptron(256, 256, 256, 10), (256,), 48), 16, 0.75),
    gradients_summed(0.65),
)
