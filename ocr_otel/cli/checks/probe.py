"""What the doctor sends: one span and one metric point, made by the SDK."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ocr_otel import semconv


@dataclass(frozen=True, slots=True)
class Probe:
    """One span and one metric point, of one resource.

    Attributes:
        spans: For a `SpanExporter`.
        metrics: For a `MetricExporter`.
        trace_id: Of the span, in hex.
    """

    spans: Any
    metrics: Any
    trace_id: str


def make_probe(resource: Mapping[str, str] | None = None) -> Probe:
    """Make a span and a metric point.

    Args:
        resource: Resource attributes beside the SDK's own, which include those of the environment.
    """
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    described = Resource.create().merge(Resource(dict(resource or {})))
    memory = InMemorySpanExporter()
    tracers = TracerProvider(sampler=ALWAYS_ON, resource=described, shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(memory))
    span = tracers.get_tracer("ocr_otel.doctor").start_span(semconv.DOCTOR)
    span.end()
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], resource=described, shutdown_on_exit=False)
    meters.get_meter("ocr_otel.doctor").create_counter(semconv.METRIC_DOCTOR_CHECKS, "{check}").add(1)
    trace_id = f"{span.get_span_context().trace_id:032x}"
    return Probe(memory.get_finished_spans(), reader.get_metrics_data(), trace_id)
