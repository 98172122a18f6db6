"""Exporters that count what they lose, say it once, and are silent in a forked process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ocr_otel.telemetry.histograms import AggregatingHistogram, preferred_temporality
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.open_spans import OpenSpans

logger: Final = logging.getLogger("ocr_otel")

# The official exporter logs a traceback for each batch it cannot write; the guard says it once, in one line.
for _signal in ("trace_exporter", "metric_exporter", "_log_exporter"):
    logging.getLogger(f"opentelemetry.exporter.otlp.json.file.{_signal}").addFilter(
        lambda record: record.levelno < logging.ERROR
    )


class CountingProcessor(SpanProcessor):
    """Counts the sampled spans that ended, so that what never reached an exporter is known."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses

    def on_end(self, span: ReadableSpan) -> None:
        """Count the span."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._losses.add_made()


class GuardedSpanExporter(SpanExporter):
    """Wraps an exporter of spans.

    Dataloader workers are forked with a copy of the exporter and of the SDK's threads: nothing may leave from there.

    Args:
        exporter: The exporter.
        losses: Counts what it does not take.
        open_spans: Told of the spans that it took; None where they are not noted.
    """

    def __init__(self, exporter: SpanExporter, losses: Losses, open_spans: OpenSpans | None = None) -> None:
        self._exporter = exporter
        self._losses = losses
        self._open_spans = open_spans
        self._pid = os.getpid()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, or count the loss."""
        if os.getpid() != self._pid:
            return SpanExportResult.SUCCESS
        try:
            result = self._exporter.export(spans)
        except Exception as error:
            self._losses.lose(len(spans), "export_error", f"{type(error).__name__}: {error}")
            return SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._losses.deliver(len(spans))
            if self._open_spans is not None:
                self._open_spans.handed_on(spans)
        else:
            self._losses.lose(len(spans), "export_failed", _where(self._exporter))
        return result

    def shutdown(self) -> None:
        """Shut the exporter down; a full disk at its last flush is a loss, not an error."""
        if os.getpid() == self._pid:
            _quietly(self._exporter.shutdown, self._losses)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Pass on."""
        return os.getpid() != self._pid or self._exporter.force_flush(timeout_millis)


class GuardedMetricExporter(MetricExporter):
    """Wraps an exporter of metrics and puts the points of our aggregating histograms beside the SDK's."""

    def __init__(
        self,
        exporter: MetricExporter,
        losses: Losses,
        histograms: Sequence[AggregatingHistogram],
        scope: InstrumentationScope,
    ) -> None:
        # The SDK's readers take both from the exporter and offer no other way to pass them on.
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)
        self._exporter = exporter
        self._losses = losses
        self._histograms = histograms
        self._scope = scope
        self._pid = os.getpid()

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export, or say the loss once."""
        if os.getpid() != self._pid:
            return MetricExportResult.SUCCESS
        try:
            result = self._exporter.export(self._with_histograms(metrics_data), timeout_millis, **kwargs)
        except Exception as error:
            self._losses.lose(0, "metric_export_error", f"{type(error).__name__}: {error}")
            return MetricExportResult.FAILURE
        if result is not MetricExportResult.SUCCESS:
            self._losses.lose(0, "metric_export_failed", _where(self._exporter))
        return result

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the exporter down."""
        if os.getpid() == self._pid:
            _quietly(lambda: self._exporter.shutdown(timeout_millis), self._losses)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Pass on."""
        return os.getpid() != self._pid or self._exporter.force_flush(timeout_millis)

    def _with_histograms(self, data: MetricsData) -> MetricsData:
        temporality = preferred_temporality()
        metrics = [metric for each in self._histograms if (metric := each.collect(temporality))]
        if not metrics or not data.resource_metrics:
            return data
        first, *rest = data.resource_metrics
        # Into the SDK's own part of our scope: the protobuf encoder keeps one part of each scope and drops others.
        mine = [each for each in first.scope_metrics if each.scope.name == self._scope.name]
        others = [each for each in first.scope_metrics if each.scope.name != self._scope.name]
        ours = ScopeMetrics(
            scope=self._scope, metrics=[*(metric for each in mine for metric in each.metrics), *metrics], schema_url=""
        )
        return MetricsData([ResourceMetrics(first.resource, [*others, ours], first.schema_url), *rest])


class GuardedLogExporter(LogRecordExporter):
    """Wraps an exporter of log records."""

    def __init__(self, exporter: LogRecordExporter, losses: Losses) -> None:
        self._exporter = exporter
        self._losses = losses
        self._pid = os.getpid()

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export, or say the loss once."""
        if os.getpid() != self._pid:
            return LogRecordExportResult.SUCCESS
        try:
            result = self._exporter.export(batch)
        except Exception as error:
            self._losses.lose(0, "log_export_error", f"{type(error).__name__}: {error}")
            return LogRecordExportResult.FAILURE
        if result is not LogRecordExportResult.SUCCESS:
            self._losses.lose(0, "log_export_failed", _where(self._exporter))
        return result

    def shutdown(self) -> None:
        """Shut the exporter down."""
        if os.getpid() == self._pid:
            _quietly(self._exporter.shutdown, self._losses)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Pass on."""
        return os.getpid() != self._pid or self._exporter.force_flush(timeout_millis)


def _quietly(shutdown: Callable[[], Any], losses: Losses) -> None:
    try:
        shutdown()
    except Exception as error:
        losses.lose(0, "shutdown_failed", f"{type(error).__name__}: {error}")


def _where(exporter: object) -> str:
    return f"{type(exporter).__name__} could not deliver; is its target there, and has the disk room?"
