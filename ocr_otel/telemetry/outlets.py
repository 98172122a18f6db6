"""The exporters of a process: files of its run directory, or those that the environment names."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
from opentelemetry.sdk.trace.export import SpanExporter

from ocr_otel.private import private_file
from ocr_otel.telemetry.exporting import Destination, load_exporter, log_exporters
from ocr_otel.telemetry.spooling import Spool

OTLP: Final = frozenset({"otlp_proto_grpc", "otlp_proto_http"})
"""Exporters behind which a spool can be put."""


class Outlets:
    """Makes the exporters of each signal.

    Args:
        target: Where telemetry goes.
        directory: Where files are written; None where there are none.
        spool: Keeps what an OTLP endpoint has not acknowledged; None where nothing is kept.
    """

    def __init__(self, target: Destination, directory: Path | None, spool: Spool | None) -> None:
        self._target = target
        self._directory = directory
        self._spool = spool
        if spool is not None:
            # What a watchdog says of a hang waits for nobody to emit an event first.
            named = next((name for name in log_exporters() if name in OTLP), None)
            if named is not None:
                spool.offer("logs", partial(load_exporter, "logs", named))

    def spans(self) -> list[SpanExporter]:
        """Make the exporters of spans."""
        if self._target.kind == "files":
            from opentelemetry.exporter.otlp.json.file import FileSpanExporter

            return [FileSpanExporter(private_file(self._directory / "traces.jsonl"))] if self._directory else []
        return [self._span_exporter(name) for name in self._target.traces]

    def _span_exporter(self, name: str) -> SpanExporter:
        exporter: SpanExporter = load_exporter("traces", name)
        return self._spool.spans(exporter) if self._spool is not None and name in OTLP else exporter

    def metrics(self) -> list[MetricExporter | MetricReader]:
        """Make the exporters of metrics, and the readers that are asked for them."""
        if self._target.kind == "files":
            from opentelemetry.exporter.otlp.json.file import FileMetricExporter

            return [FileMetricExporter(private_file(self._directory / "metrics.jsonl"))] if self._directory else []
        return [self._metric_exporter(name) for name in self._target.metrics]

    def _metric_exporter(self, name: str) -> MetricExporter | MetricReader:
        exporter: MetricExporter | MetricReader = load_exporter("metrics", name)
        if self._spool is not None and name in OTLP and isinstance(exporter, MetricExporter):
            return self._spool.metrics(exporter)
        return exporter

    def logs(self) -> list[LogRecordExporter]:
        """Make the exporters of log records."""
        if self._target.kind == "files":
            from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter

            return [FileLogExporter(private_file(self._directory / "logs.jsonl"))] if self._directory else []
        return [self._log_exporter(name) for name in log_exporters()]

    def _log_exporter(self, name: str) -> LogRecordExporter:
        exporter: LogRecordExporter = load_exporter("logs", name)
        return self._spool.logs(exporter) if self._spool is not None and name in OTLP else exporter
