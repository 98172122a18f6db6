"""Whether a run keeps to a baseline: a pure function of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ocr_otel.baseline.file import Baseline, Limit
from ocr_otel.baseline.measures import MEASURES, Measure
from ocr_otel.comparison.words import signed
from ocr_otel.report.quantities import quantity


class Status(StrEnum):
    """How a measure stands to its limits."""

    KEPT = "kept"
    BETTER = "better"
    """By more than the tolerance: the baseline may be saved anew."""
    WORSE = "worse"
    MISSING = "not measured"


@dataclass(frozen=True, slots=True)
class Result:
    """A measure beside its limits; texts are as people read them.

    Attributes:
        name: The measure.
        status: How it stands.
        failed: Whether that fails the check.
        value: What it is; None where the run does not have it.
        shown: The same with its unit.
        baseline: What it was, with its unit; empty without one.
        change: From there, such as `+12 %`; empty without one.
        allowed: What it must keep to.
    """

    name: str
    status: Status
    failed: bool
    value: float | None
    shown: str
    baseline: str
    change: str
    allowed: str

    @property
    def sentence(self) -> str:
        """Return it in one sentence."""
        if self.value is None:
            return f"{self.name} was not measured in this run; allowed: {self.allowed}."
        against = f", {self.change} against {self.baseline}" if self.change else ""
        return f"{self.name} is {self.shown}{against}; allowed: {self.allowed}."


def check(values: Mapping[str, float], baseline: Baseline) -> list[Result]:
    """Compare a run's values with a baseline's limits.

    Args:
        values: What `measures.values` returned.
        baseline: What they must keep to.
    """
    return [_result(name, limit, values.get(name)) for name, limit in baseline.limits.items()]


def _result(name: str, limit: Limit, value: float | None) -> Result:
    measure = MEASURES[name]
    most, least = _bounds(measure, limit)
    status = _status(measure, limit, value, most, least)
    known = limit.value is not None and value is not None and limit.value > 0 and value > 0
    parts = [f"at most {quantity(most, measure.unit)}"] if most is not None else []
    parts += [f"at least {quantity(least, measure.unit)}"] if least is not None else []
    return Result(
        name=name,
        status=status,
        failed=status is Status.WORSE or (status is Status.MISSING and limit.required),
        value=value,
        shown=quantity(value, measure.unit) if value is not None else "",
        baseline=quantity(limit.value, measure.unit) if limit.value is not None else "",
        change=signed(value / limit.value) if known and value is not None and limit.value is not None else "",
        allowed=" and ".join(parts),
    )


def _bounds(measure: Measure, limit: Limit) -> tuple[float | None, float | None]:
    """Return the most and the least that a measure may be: the strictest of all that its limits say."""
    most, least = limit.most, limit.least
    if limit.value is not None and measure.higher:
        worst = limit.value * max(0.0, 1 - limit.tolerance)
        least = worst if least is None else max(least, worst)
    elif limit.value is not None:
        worst = limit.value * (1 + limit.tolerance)
        most = worst if most is None else min(most, worst)
    return most, least


def _status(measure: Measure, limit: Limit, value: float | None, most: float | None, least: float | None) -> Status:
    if value is None:
        return Status.MISSING
    if (most is not None and value > most) or (least is not None and value < least):
        return Status.WORSE
    if limit.value is None:
        return Status.KEPT
    better = (
        value > limit.value * (1 + limit.tolerance) if measure.higher else value < limit.value * (1 - limit.tolerance)
    )
    return Status.BETTER if better else Status.KEPT
