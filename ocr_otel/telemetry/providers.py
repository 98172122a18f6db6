"""Providers of our own, for a process whose application has none."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE, OTEL_BSP_SCHEDULE_DELAY
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ocr_otel.telemetry.guards import CountingProcessor, GuardedMetricExporter, GuardedSpanExporter
from ocr_otel.telemetry.histograms import AggregatingHistogram
from ocr_otel.telemetry.ids import PrivateRandomIds
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.open_spans import OpenSpans

MAX_QUEUED_SPANS: Final = 16_384
"""Spans waiting for export; the SDK's default of 2,048 is less than 200 kept batches of a fast epoch make."""
SCHEDULE_DELAY_MILLIS: Final = 250.0
"""Spans wait no longer than this for others: where a process is killed, those that wait are lost."""
FILE_METRICS_INTERVAL_MILLIS: Final = 10_000.0
"""Metrics are written to the run directory this often: a line of a few KB, and the report gets a time line."""


def make_tracer_provider(
    resource: Resource, exporters: Sequence[SpanExporter], losses: Losses, open_spans: OpenSpans | None
) -> TracerProvider:
    """Make the provider of spans.

    Args:
        resource: What the process is.
        exporters: Where spans go.
        losses: Counts what does not arrive there.
        open_spans: Notes those that are open; None where nobody would end them.
    """
    provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=PrivateRandomIds())
    provider.add_span_processor(CountingProcessor(losses))
    if open_spans is not None:
        provider.add_span_processor(open_spans)
    queue = None if os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) else MAX_QUEUED_SPANS
    delay = None if os.environ.get(OTEL_BSP_SCHEDULE_DELAY) else SCHEDULE_DELAY_MILLIS
    for exporter in exporters:
        guarded = GuardedSpanExporter(exporter, losses, open_spans)
        provider.add_span_processor(BatchSpanProcessor(guarded, max_queue_size=queue, schedule_delay_millis=delay))
    return provider


def make_meter_provider(
    resource: Resource,
    exporters: Sequence[MetricExporter | MetricReader],
    losses: Losses,
    histograms: Sequence[AggregatingHistogram],
    scope: InstrumentationScope,
    to_files: bool,
) -> MeterProvider:
    """Make the provider of metrics.

    Args:
        resource: What the process is.
        exporters: Where metrics go, and readers that are asked for them.
        losses: Counts what does not arrive.
        histograms: Those that the SDK does not collect; looked at anew for each export.
        scope: Their instrumentation scope.
        to_files: Whether they are written to a run directory.
    """
    named = os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") or not to_files
    readers = [
        each
        if isinstance(each, MetricReader)
        else PeriodicExportingMetricReader(
            GuardedMetricExporter(each, losses, histograms, scope),
            export_interval_millis=None if named else FILE_METRICS_INTERVAL_MILLIS,
        )
        for each in exporters
    ]
    return MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)
