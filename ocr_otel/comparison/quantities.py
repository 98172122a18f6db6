"""What a run is in single numbers and texts, for a table beside another run's: no test, for a run has one of each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from ocr_otel.comparison.data import Difference, Measured, Quantity
from ocr_otel.report.build import UNFINISHED
from ocr_otel.report.data import EpochRow, ReportData
from ocr_otel.report.readings import Kind
from ocr_otel.semconv import Phase

_OWN: Final = ("run.id", "process.", "service.instance.id", "job.", "attempt", "telemetry.")
"""What is another in every run."""

Values = dict[tuple[str, str, str], float]
"""Numbers by group, name and unit."""


def quantities(base: Measured, other: Measured) -> list[Quantity]:
    """Return the numbers that one of the two runs has."""
    first, second = _values(base.data), _values(other.data)
    names = [*first, *(name for name in second if name not in first)]
    return [Quantity(*name, first.get(name), second.get(name)) for name in names]


def differences(base: ReportData, other: ReportData) -> list[Difference]:
    """Return the texts that are not the same in both runs: verdict, configuration, versions, machine.

    What a run tells when it ends is not missing in one that goes on or was killed: beside such a run only what both
    have is looked at.
    """
    both = UNFINISHED in (base.outcome, other.outcome)
    found = list(_different("verdict", _verdict(base), _verdict(other), both))
    found += _different("configuration", base.configuration, other.configuration, both)
    found += _different("environment", base.environment, other.environment, both)
    return found


def mean_of(epochs: list[EpochRow], value: str, weight: str) -> float | None:
    """Return the mean of a field of the epochs, weighted by another one of them."""
    weights = [float(getattr(epoch, weight)) for epoch in epochs]
    added = sum(weights)
    return (
        sum(float(getattr(each, value)) * by for each, by in zip(epochs, weights, strict=True)) / added
        if added
        else None
    )


def throughput(data: ReportData) -> float | None:
    """Return the samples a second of all epochs together."""
    seconds = sum(epoch.samples / epoch.throughput for epoch in data.epochs if epoch.throughput > 0)
    return sum(epoch.samples for epoch in data.epochs if epoch.throughput > 0) / seconds if seconds else None


def validation(data: ReportData) -> float | None:
    """Return the mean seconds of a validation, checkpoints inside left out."""
    return data.budget.validation / data.budget.validations if data.budget.validations else None


def checkpoint(data: ReportData) -> float | None:
    """Return the mean seconds to write a checkpoint."""
    return data.budget.checkpoint / data.budget.checkpoints if data.budget.checkpoints else None


def most(epochs: list[EpochRow], value: str) -> float | None:
    """Return the largest of a field of the epochs; None where it is nothing in all of them."""
    return max((float(getattr(epoch, value)) for epoch in epochs), default=0.0) or None


def _values(data: ReportData) -> Values:
    budget = data.budget
    found: dict[tuple[str, str, str], float | None] = {
        ("run", "throughput", "{sample}/s"): throughput(data),
        ("run", "share of waiting for data", "1"): mean_of(data.epochs, "data_wait", "samples"),
        ("run", "samples in a batch", "{sample}"): data.samples / data.batches if data.batches else None,
        ("run", "batches", "{batch}"): float(data.batches) or None,
        ("run", "slow batches", "1"): data.slow_batches / data.batches if data.batches else None,
        ("run", "wall time", "s"): data.wall or None,
        ("run", "time to the first batch", "s"): data.time_to_first_batch,
        ("run", "goodput", "1"): data.goodput,
        ("run", "MFU", "1"): data.mfu,
        ("run", "a validation", "s"): validation(data),
        ("run", "a checkpoint", "s"): checkpoint(data),
        ("memory", "resident, training process", "By"): most(data.epochs, "memory"),
        ("memory", "peak on the device", "By"): most(data.epochs, "device_memory"),
    }
    if budget.wall > 0:
        found |= {("share of the wall time", str(phase), "1"): budget.share(phase) or None for phase in Phase}
    for plot in data.resources.plots:
        for line in plot.lines:
            if line.kind is not Kind.LIMIT:
                named = f"{plot.title}, {line.name}" if line.name else plot.title
                found["resources", named, plot.unit] = line.mean
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}


def _verdict(data: ReportData) -> dict[str, str]:
    return {"what limits it": data.verdict.summary if data.verdict is not None else ""}


def _different(group: str, base: dict[str, str], other: dict[str, str], both: bool) -> Iterator[Difference]:
    for name in sorted(base.keys() & other.keys() if both else base.keys() | other.keys()):
        first, second = base.get(name, ""), other.get(name, "")
        if first != second and not any(own in name for own in _OWN):
            yield Difference(group, name, first, second)
