"""What was read in the time of an epoch or of a slow batch, as the attributes of its span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ocr_otel import semconv
from ocr_otel.resources.readings import Series
from ocr_otel.resources.timeline import Timeline, Window

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats, Floats], float]
"""Of values, and of the time that each stands for: of a long epoch's beginning fewer are kept."""

MIN_READ: Final = 2**20
"""Bytes asked to read below which a share of the page cache says nothing."""


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is read of a metric's series.

    Attributes:
        metric: The metric.
        where: Attributes that a series must have.
        counter: Whether its growth a second counts, and not its value.
    """

    metric: str
    where: tuple[tuple[str, str], ...] = ()
    counter: bool = False

    def windows(self, timeline: Timeline, start: int, end: int, around: bool = False) -> dict[Series, Window]:
        """Return the points from start to end; of a counter, and where it is asked, those around them too."""
        found = timeline.window(self.metric, start, end, around=around or self.counter)
        return {series: window for series, window in found.items() if set(self.where) <= set(series.attributes)}

    def rate(self, timeline: Timeline, start: int, end: int) -> float | None:
        """Return the growth a second of all its series together; None where there is no series with two points."""
        rates = [window.rate() for window in self.windows(timeline, start, end).values()]
        known = [rate for rate in rates if rate is not None]
        return sum(known) if known else None

    def typical(self, timeline: Timeline, start: int, end: int) -> float | None:
        """Return the median in a time: of the values, or of a counter's growth a second; None without any."""
        if not self.counter:
            values = [window.values for window in self.windows(timeline, start, end).values()]
            return float(np.median(np.concatenate(values))) if values else None
        steps = [
            float(np.median(np.diff(window.values) / (np.diff(window.times) / 1e9)))
            for window in self.windows(timeline, start, end).values()
            if len(window.values) > 1
        ]
        return sum(steps) if steps else None

    def during(self, timeline: Timeline, start: int, end: int) -> float | None:
        """Return the mean in a time that may be shorter than the time between two readings; None where unknown.

        A reading tells of the time before it, so that the first after the end belongs to it.
        """
        if self.counter:
            return self.rate(timeline, start, end)
        windows = self.windows(timeline, start, end, around=True).values()
        points = [window.values[window.times > start] for window in windows]
        values = np.concatenate(points) if points else np.empty(0)
        return float(values.mean()) if len(values) else None


def _where(**attributes: str) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", "."), value) for name, value in attributes.items())


def _pressure(resource: str) -> _Measure:
    return _Measure(semconv.PRESSURE_TIME, (("resource", resource), ("kind", "some")), counter=True)


_MAIN: Final = ((semconv.PROCESS_ROLE, semconv.ProcessRole.MAIN),)
_WORKER: Final = ((semconv.PROCESS_ROLE, semconv.ProcessRole.WORKER),)
_GPU: Final = _Measure(semconv.GPU_UTILIZATION, _where(hw_gpu_task="general"))
_HELD_DOWN: Final = _Measure(semconv.GPU_THROTTLED)
_READ: Final = _Measure(semconv.PROCESS_DISK_IO, _where(disk_io_direction="read"), counter=True)
_REQUESTED: Final = _Measure(semconv.IO_REQUESTED, _where(disk_io_direction="read"), counter=True)
_HELD_BACK: Final = _Measure(semconv.CGROUP_CPU_THROTTLED_TIME, counter=True)
_SWAP: Final = _Measure(semconv.SYSTEM_PAGING_OPERATIONS, counter=True)

_RATES: Final = {
    semconv.MAIN_CPU: _Measure(semconv.PROCESS_CPU_TIME, _MAIN, counter=True),
    semconv.WORKERS_CPU: _Measure(semconv.PROCESS_CPU_TIME, _WORKER, counter=True),
    semconv.READ_DEVICE: _READ,
    semconv.READ_REQUESTED: _REQUESTED,
    semconv.PRESSURE_IO: _pressure("io"),
    semconv.PRESSURE_CPU: _pressure("cpu"),
    semconv.PRESSURE_MEMORY: _pressure("memory"),
    semconv.CPU_HELD_BACK: _HELD_BACK,
    semconv.SWAPPED: _SWAP,
}


def _mean(values: Floats, gaps: Floats) -> float:
    return float(np.average(values, weights=gaps))


def _p95(values: Floats, gaps: Floats) -> float:
    order = np.argsort(values)
    until = np.cumsum(gaps[order])
    return float(values[order][np.searchsorted(until, 0.95 * until[-1])])


def _max(values: Floats, _: Floats) -> float:
    return float(values.max())


def _any(values: Floats, gaps: Floats) -> float:
    return _mean((values > 0).astype(np.float64), gaps)


_POOLED: Final[dict[str, tuple[_Measure, Statistic]]] = {
    semconv.GPU_USED_MEAN: (_GPU, _mean),
    semconv.GPU_USED_P95: (_GPU, _p95),
    semconv.GPU_MEMORY_MAX: (_Measure(semconv.GPU_MEMORY_USAGE), _max),
    semconv.GPU_POWER_MEAN: (_Measure(semconv.GPU_POWER), _mean),
    semconv.GPU_HELD_DOWN: (_HELD_DOWN, _any),
    semconv.TORCH_ALLOCATED_MAX: (_Measure(semconv.TORCH_ALLOCATED), _max),
    semconv.MAIN_MEMORY_MAX: (_Measure(semconv.PROCESS_MEMORY, _MAIN), _max),
}
_WORKERS_MEMORY: Final = _Measure(semconv.PROCESS_MEMORY, _WORKER)


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a measure of a slow batch's time is worth telling.

    Attributes:
        reason: What it is called.
        name: The attribute.
        measure: What is compared.
        differs: Whether a value, against the epoch's median, is another.
    """

    reason: str
    name: str
    measure: _Measure
    differs: Callable[[float, float], bool]


# Each asks for a difference that a person would call one: a fifth of a GPU's time, a tenth of the wall time, twice the
# reading and ten megabytes a second more of it.
_RULES: Final = (
    _Rule("gpu_fell", semconv.SLOW_GPU, _GPU, lambda value, median: value < median - 0.2),
    _Rule("gpu_throttled", semconv.SLOW_GPU_HELD_DOWN, _HELD_DOWN, lambda value, median: value > median),
    _Rule("io_rose", semconv.SLOW_READ, _READ, lambda value, median: value > 2 * median and value > median + 1e7),
    _Rule("io_pressure", semconv.SLOW_PRESSURE_IO, _pressure("io"), lambda value, median: value > median + 0.1),
    _Rule("cpu_pressure", semconv.SLOW_PRESSURE_CPU, _pressure("cpu"), lambda value, median: value > median + 0.1),
    _Rule(
        "memory_pressure",
        semconv.SLOW_PRESSURE_MEMORY,
        _pressure("memory"),
        lambda value, median: value > median + 0.1,
    ),
    _Rule("cpu_throttled", semconv.SLOW_CPU_HELD_BACK, _HELD_BACK, lambda value, median: value > median + 0.1),
    _Rule("swapped", semconv.SLOW_SWAPPED, _SWAP, lambda value, median: value > median + 10),
)


def of_loop(timeline: Timeline, start: int, end: int, samples: int) -> dict[str, float]:
    """Return the attributes of an epoch or a validation; what was not read is missing.

    Args:
        timeline: What was read.
        start: Its beginning, monotonic nanoseconds.
        end: Its end.
        samples: Its samples.
    """
    found: dict[str, float] = {}
    for name, measure in _RATES.items():
        rate = measure.rate(timeline, start, end)
        if rate is not None:
            found[name] = rate
    for name, (measure, statistic) in _POOLED.items():
        windows = list(measure.windows(timeline, start, end).values())
        if windows:
            found[name] = statistic(
                np.concatenate([window.values for window in windows]),
                np.concatenate([window.gaps() for window in windows]),
            )
    workers = list(_WORKERS_MEMORY.windows(timeline, start, end).values())
    if workers:
        found[semconv.WORKERS_MEMORY_MAX] = _most_together(workers)
    requested, read = found.get(semconv.READ_REQUESTED), found.get(semconv.READ_DEVICE)
    seconds = (end - start) / 1e9
    if requested is not None and requested * seconds >= MIN_READ:
        if read is not None:
            found[semconv.CACHE_SHARE] = max(0.0, 1 - read / requested)
        if samples:
            found[semconv.READ_BY_SAMPLE] = requested * seconds / samples
    return found


def _most_together(windows: list[Window]) -> float:
    # Workers are read within one tick, a few milliseconds apart: whole seconds put their readings together.
    by_second: dict[int, float] = {}
    for window in windows:
        for second, value in {
            int(time // 1_000_000_000): float(value) for time, value in zip(window.times, window.values, strict=True)
        }.items():
            by_second[second] = by_second.get(second, 0.0) + value
    return max(by_second.values())


def of_slow_batch(timeline: Timeline, start: int, end: int, since: int) -> Mapping[str, Any]:
    """Return the attributes that say what was different in a slow batch's time.

    Args:
        timeline: What was read.
        start: The batch's beginning, monotonic nanoseconds.
        end: Its end.
        since: The beginning of its epoch, whose median is what it is compared with.
    """
    found: dict[str, Any] = {}
    reasons = []
    for rule in _RULES:
        median, value = rule.measure.typical(timeline, since, end), rule.measure.during(timeline, start, end)
        if median is None or value is None or not rule.differs(value, median):
            continue
        reasons.append(rule.reason)
        found[rule.name] = value
        found[f"{rule.name}.median"] = median
    if reasons:
        found[semconv.SLOW_REASONS] = tuple(reasons)
    return found
