"""What of a run can be guarded: its name, its unit, which way is better, and its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from ocr_otel.comparison.data import Measured
from ocr_otel.comparison.quantities import checkpoint, mean_of, most, throughput, validation
from ocr_otel.semconv import VALIDATE


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is guarded.

    Attributes:
        unit: UCUM unit of its values.
        higher: Whether more of it is better.
        meaning: What it is.
        of: Returns its value of a run; None where the run does not have it.
        usual: Whether a new baseline holds it without being asked to.
    """

    unit: str
    higher: bool
    meaning: str
    of: Callable[[Measured], float | None]
    usual: bool = True


def _batch_mean(run: Measured) -> float | None:
    if run.steps.mean is not None:
        return run.steps.mean
    return float(np.mean(run.steps.seconds)) if len(run.steps) else None


def _percentile(field: str, share: float) -> Callable[[Measured], float | None]:
    def of(run: Measured) -> float | None:
        if run.data.epochs:
            # Of all batches of each epoch, weighted by its samples: no epoch's percentile can be taken apart again.
            return mean_of(run.data.epochs, field, "samples")
        return float(np.percentile(run.steps.seconds, share)) if len(run.steps) else None

    return of


_p95 = _percentile("p95", 95)


def _p95_to_mean(run: Measured) -> float | None:
    mean, high = _batch_mean(run), _p95(run)
    return high / mean if mean and high is not None else None


def _validation(run: Measured) -> float | None:
    found = validation(run.data)
    return run.data.wall if found is None and run.data.entry == VALIDATE else found


def _cache_hits(run: Measured) -> float | None:
    found = [(each.cache_hit_rate, each.batches) for each in run.data.workers if each.cache_hit_rate is not None]
    batches = sum(number for _, number in found)
    return sum(rate * number for rate, number in found) / batches if batches else None


MEASURES: Final[Mapping[str, Measure]] = {
    "batch.mean": Measure(
        "s", False, "Mean time of a training batch, without the first three of an epoch and profiled ones.", _batch_mean
    ),
    "batch.p50": Measure("s", False, "Median time of a training batch.", _percentile("p50", 50), usual=False),
    "batch.p95": Measure("s", False, "95th percentile of it.", _p95, usual=False),
    "batch.p99": Measure("s", False, "99th percentile of it.", _percentile("p99", 99), usual=False),
    "batch.p95_to_mean": Measure(
        "", False, "`batch.p95` divided by `batch.mean`: how even the batches are.", _p95_to_mean
    ),
    "throughput.samples": Measure(
        "{sample}/s", True, "Samples a second, over all epochs.", lambda run: throughput(run.data)
    ),
    "data_wait.ratio": Measure(
        "1",
        False,
        "Share of the time that the loop waited for data.",
        lambda run: mean_of(run.data.epochs, "data_wait", "samples"),
        usual=False,
    ),
    "validation.duration": Measure(
        "s", False, "Mean time of a validation, checkpoints left out; of `Trainer.validate` its wall time.", _validation
    ),
    "checkpoint.duration": Measure(
        "s", False, "Mean time to write a checkpoint.", lambda run: checkpoint(run.data), usual=False
    ),
    "time_to_first_batch": Measure(
        "s", False, "Time until the first training batch.", lambda run: run.data.time_to_first_batch, usual=False
    ),
    "memory.resident": Measure(
        "By", False, "Most resident memory of the training process.", lambda run: most(run.data.epochs, "memory")
    ),
    "memory.device": Measure(
        "By", False, "Most memory allocated on the device.", lambda run: most(run.data.epochs, "device_memory")
    ),
    "cache.hit_rate": Measure(
        "1", True, "Share of cache hits of the dataset, in kept batches.", _cache_hits, usual=False
    ),
    "goodput": Measure("1", True, "Share of the wall time that trained.", lambda run: run.data.goodput, usual=False),
    "mfu": Measure("1", True, "Model FLOPs utilisation.", lambda run: run.data.mfu, usual=False),
}
"""All that can be guarded, by name."""


def values(run: Measured) -> dict[str, float]:
    """Return what a run has of them."""
    found = {name: measure.of(run) for name, measure in MEASURES.items()}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}
