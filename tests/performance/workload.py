"""The training of the benchmark, as a script of its own: writes what its batches took into a JSON file.

It knows nothing of ocr_otel. A batch's time is that between the beginnings of two training steps, so that whatever
runs between them is in it: dataloader, hooks, callbacks, profilers, and threads that take the interpreter away.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import random
import resource
import statistics
import warnings
from pathlib import Path
from time import perf_counter_ns

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import DeviceStatsMonitor
from lightning.pytorch.loggers.logger import DummyLogger
from lightning.pytorch.trainer.connectors import callback_connector
from torch.utils.data import DataLoader, TensorDataset

WARM_UP_BATCHES = 50
"""Left out: allocations, the loop's first calls, and the batches that are kept at an epoch's start."""
FEATURES = 16
BATCH_SIZE = 4
MATRIX = 256
"""Edge of the matrices that fill a longer step; one product of two takes about a millisecond on a core."""

CALLBACKS = {"empty": Callback, "device-stats": lambda: DeviceStatsMonitor(cpu_stats=True)}


class Module(LightningModule):
    """A linear layer, and before it a fixed number of matrix products."""

    def __init__(self, products: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(FEATURES, 1)
        self.products = products
        self.matrix = torch.randn(MATRIX, MATRIX)
        self.times: list[int] = []

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        self.times.append(perf_counter_ns())
        for _ in range(self.products):
            torch.mm(self.matrix, self.matrix)
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def durations(self, left_out: int) -> list[float]:
        """Return what each batch took, without the first so many, in seconds."""
        return [(after - before) / 1e9 for before, after in itertools.pairwise(self.times[left_out:])]


def quiet_and_median(durations: list[float]) -> dict[str, float]:
    """Return the 10th percentile and the median."""
    return {"quiet": statistics.quantiles(durations, n=10)[0], "median": statistics.median(durations)}


def train(batches: int, products: int, callback: str | None, profiler: str | None) -> dict[str, float]:
    """Train one epoch and return what it took, in seconds."""
    module = Module(products)
    loader = DataLoader(TensorDataset(torch.randn(batches * BATCH_SIZE, FEATURES)), batch_size=BATCH_SIZE)
    if callback == "ours":
        # Only here, so that the workload of the other cases knows nothing of ocr_otel.
        from ocr_otel import OTelCallback as make
    else:
        make = CALLBACKS.get(callback)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        # DeviceStatsMonitor asks for a logger; this one throws away what it gets.
        logger=DummyLogger() if callback == "device-stats" else False,
        callbacks=[make()] if make else None,
        profiler=profiler,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    begun = perf_counter_ns()
    trainer.fit(module, loader)
    ended = perf_counter_ns()
    durations = module.durations(min(WARM_UP_BATCHES, batches // 4))
    return quiet_and_median(durations) | {
        "mean": statistics.fmean(durations),
        "outside": (ended - begun) / 1e9 - (module.times[-1] - module.times[0]) / 1e9,
    }


def interleave(cases: list[str], rounds: int, batches: int, products: int) -> dict[str, list[dict[str, float]]]:
    """Train each case in turn, again and again, and return what each training took.

    What the machine does meanwhile changes from second to second; trainings of one round are less than that apart.
    """
    order = random.Random(0)
    for case in cases:
        train(batches, products, *_of_case(case))
    measured: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case in order.sample(cases, len(cases)):
            measured[case].append(train(batches, products, *_of_case(case)))
    return measured


def _of_case(case: str) -> tuple[str | None, str | None]:
    """Return callback and profiler of a case."""
    return (None, None) if case == "bare" else (None, "simple") if case == "simple" else (case, None)


def forget_entry_points() -> None:
    """Let Lightning find no callbacks of other packages, as if ocr_otel were not installed."""
    callback_connector._load_external_callbacks = lambda group: []


def products_for(seconds: float) -> int:
    """Return how many matrix products take about so many seconds on this machine, in one thread as all trainings do."""
    torch.set_num_threads(1)
    matrix = torch.randn(MATRIX, MATRIX)
    took = []
    for _ in range(60):
        begun = perf_counter_ns()
        torch.mm(matrix, matrix)
        took.append((perf_counter_ns() - begun) / 1e9)
    return max(1, round(seconds / statistics.median(took[10:])))


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--epoch",
        action="append",
        nargs=2,
        type=int,
        default=[],
        metavar=("BATCHES", "PRODUCTS"),
        help="train so many batches with so many matrix products in each; may be given several times",
    )
    parser.add_argument("--callback", choices=CALLBACKS)
    parser.add_argument("--profiler")
    parser.add_argument("--interleave", nargs="+", help="train these cases in turn, in this process")
    parser.add_argument("--rounds", type=int, default=1, help="so often")
    parser.add_argument("--no-entry-points", action="store_true")
    parser.add_argument("--calibrate", type=float, help="only find how many products take so many seconds")
    parser.add_argument("--result", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    if options.no_entry_points:
        forget_entry_points()
    if options.calibrate is not None:
        result: dict[str, object] = {"products": products_for(options.calibrate)}
    elif options.interleave:
        ((batches, products),) = options.epoch
        result = dict(interleave(options.interleave, options.rounds, batches, products))
    else:
        epochs = [train(batches, products, options.callback, options.profiler) for batches, products in options.epoch]
        result = {"epochs": epochs, "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    options.result.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
