"""The provider of log records, and events that are sent by it: rare, so nothing is set up before the first."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry import _logs
from opentelemetry._logs import Logger, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource

from ocr_otel import __version__, semconv
from ocr_otel.telemetry.guards import GuardedLogExporter
from ocr_otel.telemetry.losses import Losses


class Events:
    """Emits events through the application's LoggerProvider, or through one of our own.

    Args:
        resource: What the process is, for a provider of our own.
        exporters: Makes its exporters.
        losses: Told of what they do not take.
    """

    def __init__(
        self,
        resource: Callable[[], Resource],
        exporters: Callable[[], Sequence[LogRecordExporter]],
        losses: Losses,
    ) -> None:
        self._resource = resource
        self._exporters = exporters
        self._losses = losses
        self._lock = threading.RLock()
        self._own: LoggerProvider | None = None
        self._logger: Logger | None = None

    def emit(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Emit an event, as a warning; any thread may."""
        with self._lock:
            if self._logger is None:
                self._logger = self.provider().get_logger(semconv.SCOPE, __version__)
        self._logger.emit(
            event_name=name,
            attributes=dict(attributes),
            severity_number=SeverityNumber.WARN,
            severity_text="WARN",
            body=semconv.EVENTS[name].meaning,
        )

    def provider(self) -> LoggerProvider:
        """Return what log records are sent by: the application's provider, or one of our own."""
        provider = _logs.get_logger_provider()
        if isinstance(provider, LoggerProvider):
            return provider
        with self._lock:
            if self._own is None:
                own = LoggerProvider(self._resource(), shutdown_on_exit=False)
                for exporter in self._exporters():
                    own.add_log_record_processor(BatchLogRecordProcessor(GuardedLogExporter(exporter, self._losses)))
                self._own = own
            return self._own

    def flush(self, timeout_millis: int) -> None:
        """Deliver what was emitted through a provider of our own."""
        if self._own is not None:
            self._own.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Stop a provider of our own."""
        if self._own is not None:
            self._own.shutdown()
