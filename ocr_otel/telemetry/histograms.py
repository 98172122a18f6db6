"""Histograms that take many values at once, because one by one the SDK's cost more than a small training step.

`Histogram.record` takes 6.5 µs, and a batch has eight durations. A `DurationHistogram` counts a whole array into its
buckets with NumPy; its points are put beside the SDK's own when metrics are exported. Where the application brought
its own MeterProvider there is no such place, and the values are recorded through the API one by one.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.metrics import Meter
from opentelemetry.sdk.environment_variables import OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import AggregationTemporality, Histogram, HistogramDataPoint, Metric

DURATION_BOUNDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0,
)  # fmt: skip
"""Bucket bounds in seconds: 0.1 ms, a tiny step, to 10 min, a long validation batch or checkpoint."""

Attributes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExemplarPoint:
    """A value with the trace that explains it.

    Attributes:
        value: Seconds.
        time_unix_nano: When it was measured.
        trace_id: Trace of the kept batch.
        span_id: Its root span.
    """

    value: float
    time_unix_nano: int
    trace_id: int
    span_id: int


class DurationHistogram(Protocol):
    """A histogram of seconds that takes arrays."""

    def record_many(
        self, seconds: npt.NDArray[np.float64], attributes: Attributes, exemplars: Iterable[ExemplarPoint] = ()
    ) -> None:
        """Add values.

        Args:
            seconds: The values, shape (n,).
            attributes: Attributes of the series.
            exemplars: Values among them that a trace explains.
        """


class RecordingHistogram:
    """Through the API, for MeterProviders that are not ours."""

    def __init__(self, meter: Meter, name: str, unit: str, description: str) -> None:
        self._instrument = meter.create_histogram(
            name, unit=unit, description=description, explicit_bucket_boundaries_advisory=DURATION_BOUNDS
        )

    def record_many(
        self, seconds: npt.NDArray[np.float64], attributes: Attributes, exemplars: Iterable[ExemplarPoint] = ()
    ) -> None:
        """See `DurationHistogram`."""
        values = seconds.tolist()
        for point in exemplars:
            # An exporter may have drained a batch's row a moment before its trace was made.
            if point.value in values:
                values.remove(point.value)
                self._instrument.record(point.value, attributes, context=_context(point))
        for value in values:
            self._instrument.record(value, attributes)


class _Series:
    """The buckets of one set of attributes."""

    __slots__ = ("counts", "exemplars", "maximum", "minimum", "started", "total")

    def __init__(self, started: int) -> None:
        self.started = started
        self.clear()

    def clear(self) -> None:
        self.counts = np.zeros(len(DURATION_BOUNDS) + 1, dtype=np.int64)
        self.total = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")
        self.exemplars: dict[int, Exemplar] = {}

    def add(self, seconds: npt.NDArray[np.float64], exemplars: Iterable[ExemplarPoint]) -> None:
        # side="left": a bucket holds what is less than or equal to its upper bound, as OTLP says.
        buckets = np.searchsorted(DURATION_BOUNDS, seconds, side="left")
        self.counts += np.bincount(buckets, minlength=len(self.counts))
        self.total += float(seconds.sum())
        self.minimum = min(self.minimum, float(seconds.min()))
        self.maximum = max(self.maximum, float(seconds.max()))
        for point in exemplars:
            bucket = int(np.searchsorted(DURATION_BOUNDS, point.value, side="left"))
            self.exemplars[bucket] = Exemplar({}, point.value, point.time_unix_nano, point.span_id, point.trace_id)

    def point(self, attributes: Attributes, now: int) -> HistogramDataPoint:
        return HistogramDataPoint(
            attributes=dict(attributes),
            start_time_unix_nano=self.started,
            time_unix_nano=now,
            count=int(self.counts.sum()),
            sum=self.total,
            bucket_counts=self.counts.tolist(),
            explicit_bounds=DURATION_BOUNDS,
            min=self.minimum,
            max=self.maximum,
            exemplars=list(self.exemplars.values()),
        )


class AggregatingHistogram:
    """Counts arrays into buckets; `collect` gives the points for one exporter."""

    def __init__(self, name: str, unit: str, description: str) -> None:
        self._name = name
        self._unit = unit
        self._description = description
        self._series: dict[tuple[tuple[str, str], ...], _Series] = {}
        self._lock = threading.Lock()

    def record_many(
        self, seconds: npt.NDArray[np.float64], attributes: Attributes, exemplars: Iterable[ExemplarPoint] = ()
    ) -> None:
        """See `DurationHistogram`."""
        if not len(seconds):
            return
        key = tuple(attributes.items())
        with self._lock:
            series = self._series.get(key)
            if series is None:
                series = self._series[key] = _Series(time.time_ns())
            series.add(seconds, exemplars)

    def collect(self, temporality: AggregationTemporality) -> Metric | None:
        """Return the metric as it stands, and begin anew where the temporality is delta."""
        now = time.time_ns()
        points = []
        with self._lock:
            for key, series in self._series.items():
                if series.counts.any():
                    points.append(series.point(dict(key), now))
                if temporality is AggregationTemporality.DELTA:
                    series.clear()
                    series.started = now
                else:
                    series.exemplars = {}
        if not points:
            return None
        return Metric(self._name, self._description, self._unit, Histogram(points, temporality))


def preferred_temporality() -> AggregationTemporality:
    """Return the temporality of histograms that the standard variable asks for."""
    preference = os.environ.get(OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE, "").strip().lower()
    return AggregationTemporality.DELTA if preference in ("delta", "lowmemory") else AggregationTemporality.CUMULATIVE


def _context(point: ExemplarPoint) -> Context:
    context: Any = trace.SpanContext(point.trace_id, point.span_id, False, trace.TraceFlags(trace.TraceFlags.SAMPLED))
    return trace.set_span_in_context(trace.NonRecordingSpan(context))
