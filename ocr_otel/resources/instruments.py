"""Asynchronous instruments over the time line: what exporters get of the readings."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final

from opentelemetry.metrics import Meter, Observation

from ocr_otel import semconv
from ocr_otel.resources.readings import Series
from ocr_otel.resources.timeline import Timeline
from ocr_otel.semconv.names import Name
from ocr_otel.telemetry.failures import Failed
from ocr_otel.telemetry.observing import observer

FRESH_INTERVALS: Final = 3
"""A series whose last reading is older than so many intervals has ended: what is gone has no value."""
MIN_FRESH_NS: Final = 5_000_000_000
_LAST: Final = "By"
"""Unit of the gauges that are exported as they were last; others as their mean since the export before."""


class ResourceInstruments:
    """Observes a time line.

    Args:
        meter: Makes the instruments.
        timeline: What was read.
        interval: Seconds between readings.
        collected: Called once at each collection.
        failed: Takes what fails at a collection, with its cause.
    """

    def __init__(
        self, meter: Meter, timeline: Timeline, interval: float, collected: Callable[[], None], failed: Failed
    ) -> None:
        self._timeline = timeline
        self._fresh_ns = max(MIN_FRESH_NS, int(FRESH_INTERVALS * interval * 1e9))
        self._since: dict[str, int] = {}
        create: dict[str, Any] = {
            "gauge": meter.create_observable_gauge,
            "counter": meter.create_observable_counter,
            "updowncounter": meter.create_observable_up_down_counter,
        }
        first = True
        for described in semconv.RESOURCE_METRICS.values():
            if described.kind in create:
                observe = observer(self._values(described, collected if first else None), failed, "resources")
                first = False
                create[described.kind](
                    described.name, callbacks=[observe], unit=described.unit, description=described.meaning
                )

    def _values(self, described: Name, collected: Callable[[], None] | None) -> Callable[[], list[Observation]]:
        name = described.name
        averaged = described.kind == "gauge" and described.unit != _LAST

        def values() -> list[Observation]:
            if collected is not None:
                collected()
            if name == semconv.GPU_UTILIZATION_MAX:
                return self._highest(name, semconv.GPU_UTILIZATION)
            now = perf_counter_ns()
            latest = dict(self._timeline.latest(name, now - self._fresh_ns))
            if averaged:
                since = self._since.get(name, 0)
                self._since[name] = now
                for series, window in self._timeline.window(name, since, now).items():
                    if series in latest:
                        latest[series] = float(window.values.mean())
            return [_observation(series, value) for series, value in latest.items()]

        return values

    def _highest(self, name: str, of: str) -> list[Observation]:
        now = perf_counter_ns()
        since = self._since.get(name, 0)
        self._since[name] = now
        fresh = {series for series, _ in self._timeline.latest(of, now - self._fresh_ns)}
        windows = self._timeline.window(of, since, now)
        return [_observation(series, float(windows[series].values.max())) for series in fresh & windows.keys()]


def _observation(series: Series, value: float) -> Observation:
    return Observation(value, dict(series.attributes))
