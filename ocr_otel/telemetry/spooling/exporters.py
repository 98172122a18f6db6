"""The exporters that the SDK sees: they write and return."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ocr_otel.telemetry.spooling.sender import Sender


class DurableSpanExporter(SpanExporter):
    """Takes spans over. It is shut down with the spool, so that it sends until then."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take them over."""
        return SpanExportResult.SUCCESS if self._sender.take(spans) else SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: what was taken over is on the disk."""
        return True


class DurableMetricExporter(MetricExporter):
    """Takes metrics over. It is shut down with the spool, so that it sends until then.

    Args:
        sender: Sends them.
        exporter: The exporter in whose place it stands.
    """

    def __init__(self, sender: Sender, exporter: MetricExporter) -> None:
        # The SDK's readers take both from the exporter and offer no other way to pass them on.
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)
        self._sender = sender

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Take them over."""
        return MetricExportResult.SUCCESS if self._sender.take(metrics_data) else MetricExportResult.FAILURE

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Return True: what was taken over is on the disk."""
        return True


class DurableLogExporter(LogRecordExporter):
    """Takes log records over. It is shut down with the spool, so that it sends until then."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Take them over."""
        return LogRecordExportResult.SUCCESS if self._sender.take(batch) else LogRecordExportResult.FAILURE

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 10_000) -> bool:
        """Return True: what was taken over is on the disk."""
        return True
