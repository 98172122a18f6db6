"""Series that no training on this machine makes: of GPUs, of several kinds of trouble, written over OTLP."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)

from ocr_otel import semconv
from ocr_otel.semconv import Name
from ocr_otel.stack.processes import DIRECT

AGES: Final = (40.0, 25.0, 10.0, 0.0)
"""Seconds ago of the points of a series: several, so that rates have a window."""
LONG_AGO: Final = (600.0, 540.0, 480.0)
"""Older than Prometheus looks back: a run that is silent."""
TIMEOUT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Recorded:
    """One series.

    Attributes:
        metric: What it is, by its entry in `semconv`.
        values: Its values, one for each of `ages`.
        attributes: Attributes of its points.
        ages: How many seconds ago each value was taken.
    """

    metric: Name
    values: tuple[float, ...]
    attributes: Mapping[str, str] = field(default_factory=dict)
    ages: tuple[float, ...] = AGES


def steady(name: str, value: float, ages: tuple[float, ...] = AGES, **attributes: str) -> Recorded:
    """Return a series that keeps its value; attributes are named with `__` for a dot."""
    return Recorded(_named(name), (value,) * len(ages), _dotted(attributes), ages)


def growing(name: str, step: float, **attributes: str) -> Recorded:
    """Return a counter that grows."""
    return Recorded(_named(name), tuple(step * number for number in range(len(AGES))), _dotted(attributes))


def server_counter(name: str) -> Recorded:
    """Return a counter of a server, by its name in Prometheus: with all its labels as attributes."""
    base = name.removesuffix("_total")
    labels = {"server": "recorded", "exporter": "recorded"}
    return Recorded(Name(base, "counter", "", "", ""), (0, 1, 2, 3), labels)


def gpu(hw_id: str) -> list[Recorded]:
    """Return what the reading of one GPU gives."""
    unit = {"hw__id": hw_id, "hw__type": "gpu"}
    return [
        steady(semconv.GPU_UTILIZATION, 0.93, hw__id=hw_id, hw__gpu__task="general"),
        steady(semconv.GPU_MEMORY_USAGE, 70e9, hw__id=hw_id),
        steady(semconv.GPU_MEMORY_LIMIT, 80e9, hw__id=hw_id),
        growing(semconv.GPU_IO, 2e9, hw__id=hw_id, network__io__direction="receive"),
        steady(semconv.GPU_POWER, 612.0, **unit),
        growing(semconv.GPU_ENERGY, 9000.0, **unit),
        steady(semconv.GPU_TEMPERATURE, 71.0, **unit),
        growing(semconv.GPU_ERRORS, 1.0, **unit, error__type="xid_94"),
        steady(semconv.GPU_THROTTLED, 0.0, hw__id=hw_id, reason="sw_thermal"),
        steady(semconv.TORCH_ALLOCATED, 41e9, device=f"cuda:{hw_id}"),
        steady(semconv.TORCH_RESERVED, 52e9, device=f"cuda:{hw_id}"),
        steady(semconv.TORCH_OOMS, 0.0, device=f"cuda:{hw_id}"),
        steady(semconv.STRAGGLER_DELAY, 0.004),
        steady(semconv.PROCESS_MEMORY, 9e9),
        steady(semconv.PROCESS_CPU, 0.98),
        growing(semconv.PROCESS_DISK_IO, 4e6, disk__io__direction="write"),
    ]


def write(endpoint: str, resource: Mapping[str, str], series: list[Recorded]) -> None:
    """Send series to an OTLP endpoint for metrics.

    Args:
        endpoint: Full address, with `/v1/metrics`.
        resource: Attributes of what they are of.
        series: The series.

    Raises:
        urllib.error.HTTPError: They were refused.
    """
    now = time.time()
    request = ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource={"attributes": _attributes(resource)},
                scope_metrics=[ScopeMetrics(metrics=[_metric(each, now) for each in series])],
            )
        ]
    )
    posted = urllib.request.Request(
        endpoint, request.SerializeToString(), {"Content-Type": "application/x-protobuf"}, method="POST"
    )
    DIRECT.open(posted, timeout=TIMEOUT_SECONDS).close()


def _metric(series: Recorded, now: float) -> Metric:
    points = [
        NumberDataPoint(
            attributes=_attributes(series.attributes),
            start_time_unix_nano=int((now - 3600) * 1e9),
            time_unix_nano=int((now - age) * 1e9),
            as_double=value,
        )
        for age, value in zip(series.ages, series.values, strict=True)
    ]
    described = Metric(name=series.metric.name, unit=series.metric.unit)
    if series.metric.kind == "gauge":
        described.gauge.data_points.extend(points)
    else:
        described.sum.data_points.extend(points)
        described.sum.is_monotonic = series.metric.kind == "counter"
        described.sum.aggregation_temporality = AGGREGATION_TEMPORALITY_CUMULATIVE
    return described


def _attributes(values: Mapping[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]


def _named(name: str) -> Name:
    return semconv.all_metrics()[name]


def _dotted(attributes: Mapping[str, str]) -> dict[str, str]:
    return {key.replace("__", "."): value for key, value in attributes.items()}
