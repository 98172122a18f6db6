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
from ocr_otel.semconv import Name, Phase, Stage
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


def phase_of_histogram(phase: Phase) -> Recorded:
    """Return the sum of the phases' histogram for one that a single rank does not have."""
    described = Name(f"{semconv.METRIC_PHASE_DURATION}.seconds.sum", "gauge", "", "", "")
    return Recorded(described, (0.0, 0.1, 0.2, 0.3), {semconv.STAGE: Stage.TRAIN, semconv.PHASE: phase})


def gpu(hw_id: str) -> list[Recorded]:
    """Return what the reading of one GPU gives."""
    named = {"hw__id": f"GPU-{hw_id}", "hw__name": f"gpu{hw_id}"}
    unit = {**named, "hw__type": "gpu"}
    return [
        steady(semconv.GPU_UTILIZATION, 0.93, **named, hw__gpu__task="general"),
        steady(semconv.GPU_UTILIZATION_MAX, 1.0, **named, hw__gpu__task="general"),
        steady(semconv.GPU_MEMORY_CONTROLLER_UTILIZATION, 0.41, **named),
        steady(semconv.GPU_MEMORY_USAGE, 70e9, **named),
        steady(semconv.GPU_MEMORY_LIMIT, 80e9, **named),
        steady(semconv.GPU_PROCESS_MEMORY, 69e9, **named, training__process__role="main"),
        growing(semconv.GPU_IO, 2e9, **named, network__io__direction="receive"),
        growing(semconv.GPU_NVLINK_IO, 9e9, **named, network__io__direction="transmit"),
        steady(semconv.GPU_POWER, 612.0, **unit),
        steady(semconv.GPU_POWER_LIMIT, 700.0, **named),
        steady(semconv.GPU_CLOCK, 1.98e9, **named, training__gpu__clock__domain="sm"),
        growing(semconv.GPU_ENERGY, 9000.0, **unit),
        steady(semconv.GPU_TEMPERATURE, 71.0, **unit, hw__sensor_location="gpu"),
        growing(semconv.GPU_ERRORS, 1.0, **unit, error__type="xid_94"),
        steady(semconv.GPU_THROTTLED, 0.0, **named, reason="sw_thermal_slowdown"),
        steady(semconv.TORCH_ALLOCATED, 41e9, device=f"cuda:{hw_id}"),
        steady(semconv.TORCH_RESERVED, 52e9, device=f"cuda:{hw_id}"),
        steady(semconv.TORCH_PEAK, 50e9, device=f"cuda:{hw_id}"),
        steady(semconv.TORCH_FRAGMENTATION, 0.07, device=f"cuda:{hw_id}"),
        growing(semconv.TORCH_ALLOC_RETRIES, 1.0, device=f"cuda:{hw_id}"),
        steady(semconv.TORCH_OOMS, 0.0, device=f"cuda:{hw_id}"),
    ]


def machine() -> list[Recorded]:
    """Return what the reading of processes, disks and limits gives in a container with limits and a disk."""
    main = {"training__process__role": "main"}
    worker = {"training__process__role": "worker", "training__dataloader__worker__id": "0"}
    read, write = {"disk__io__direction": "read"}, {"disk__io__direction": "write"}
    disk = {"system__device": "nvme0n1"}
    return [
        steady(semconv.METRIC_STRAGGLER_DELAY, 0.004),
        growing(semconv.METRIC_STRAGGLER_STEPS, 2.0),
        phase_of_histogram(Phase.COMMUNICATION),
        steady(semconv.PROCESS_MEMORY, 9e9, **main),
        steady(semconv.PROCESS_MEMORY, 2e9, **worker),
        steady(semconv.PROCESS_MEMORY_UNIQUE, 3e8, **worker),
        growing(semconv.PROCESS_CPU_TIME, 14.0, **main, cpu__mode="user"),
        growing(semconv.PROCESS_CPU_TIME, 12.0, **worker, cpu__mode="user"),
        growing(semconv.PROCESS_CONTEXT_SWITCHES, 90.0, **main, process__context_switch__type="involuntary"),
        growing(semconv.PROCESS_PAGING_FAULTS, 2.0, **main, system__paging__fault__type="major"),
        growing(semconv.IO_REQUESTED, 9e8, **worker, **read),
        growing(semconv.IO_REQUESTED, 4e6, **main, **write),
        growing(semconv.PROCESS_DISK_IO, 2e8, **worker, **read),
        growing(semconv.PROCESS_DISK_IO, 4e6, **main, **write),
        steady(semconv.IO_CACHED, 0.78, **worker),
        steady(semconv.DISK_UTILIZATION, 0.64, **disk),
        steady(semconv.DISK_QUEUE, 3.2, **disk),
        steady(semconv.DISK_WAIT, 0.002, **disk, **read),
        growing(semconv.DISK_IO, 3e8, **disk, **read),
        steady(semconv.DISK_REQUEST_SIZE, 131072.0, **disk, **read),
        growing(semconv.PRESSURE_TIME, 1.5, resource="io", kind="some"),
        growing(semconv.CGROUP_CPU_PERIODS, 150.0),
        growing(semconv.CGROUP_CPU_THROTTLED_PERIODS, 9.0),
        steady(semconv.CGROUP_MEMORY_USAGE, 30e9),
        steady(semconv.CGROUP_MEMORY_WORKING_SET, 12e9),
        steady(semconv.CGROUP_MEMORY_LIMIT, 32e9),
        steady(semconv.CGROUP_MEMORY_UTILIZATION, 0.375),
        growing(semconv.CGROUP_MEMORY_EVENTS, 1.0, kind="high"),
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
