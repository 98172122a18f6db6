"""One process's telemetry: providers of our own or the application's, its run directory, flush within a bound."""

from __future__ import annotations

import atexit
import json
import logging
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from opentelemetry import metrics, trace
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.environment_variables import OTEL_BSP_MAX_QUEUE_SIZE
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ocr_otel import __version__, semconv
from ocr_otel.settings import Settings
from ocr_otel.telemetry.children import child_spans
from ocr_otel.telemetry.deliverer import Deliverer
from ocr_otel.telemetry.events import Events
from ocr_otel.telemetry.exporting import Destination, destination, load_exporter, log_exporters
from ocr_otel.telemetry.guards import CountingProcessor, GuardedMetricExporter, GuardedSpanExporter, Losses
from ocr_otel.telemetry.histograms import AggregatingHistogram, DurationHistogram, RecordingHistogram
from ocr_otel.telemetry.ids import PrivateRandomIds
from ocr_otel.telemetry.resource import describe_process

logger = logging.getLogger("ocr_otel")

MAX_QUEUED_SPANS: Final = 16_384
"""Spans waiting for export; the SDK's default of 2,048 is less than 200 kept batches of a fast epoch make."""
FILE_METRICS_INTERVAL_MILLIS: Final = 10_000
"""Metrics are written to the run directory this often: a line of a few KB, and the report gets a time line."""
RUN_FORMAT: Final = 1
"""Version of the layout of a run directory, in `run.json`."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which process of which run this is.

    Attributes:
        run_id: Name of the run, the same on all ranks.
        rank: Global rank.
        local_rank: Rank on this host.
        world_size: Number of ranks.
    """

    run_id: str
    rank: int = 0
    local_rank: int = 0
    world_size: int = 1


class Session:
    """The telemetry of one process.

    Attributes:
        identity: Which process of which run.
        tracer: Makes our spans.
        child_span: Makes those that are over already.
        meter: Makes our instruments.
        directory: Where this rank's files are written; None when telemetry goes elsewhere.
        losses: What was made and not delivered.
        events: Emits events as log records.
        meter_provider: Where the instruments of others are made that are to go the same way.
    """

    def __init__(self, settings: Settings, identity: RunIdentity, target: Destination) -> None:
        self.identity = identity
        self.losses = Losses()
        self.directory: Path | None = None
        self.pid = os.getpid()
        self._target = target
        self._timeout = settings.flush_timeout
        self._deliverer = Deliverer()
        self._aggregating: list[AggregatingHistogram] = []
        self._scope = InstrumentationScope(semconv.SCOPE, __version__)
        tracer_provider = trace.get_tracer_provider()
        meter_provider = metrics.get_meter_provider()
        self._tracer_provider: TracerProvider | None = None
        self._meter_provider: MeterProvider | None = None
        resource: Resource | None = None
        if not isinstance(tracer_provider, TracerProvider) or not isinstance(meter_provider, MeterProvider):
            resource = describe_process(identity)
            if target.kind == "files":
                self.directory = self._make_directory(settings.runs_dir, resource)
        if isinstance(tracer_provider, TracerProvider):
            self._flush_traces: Callable[[int], Any] = tracer_provider.force_flush
        else:
            assert resource is not None
            tracer_provider = self._tracer_provider = self._make_tracer_provider(resource)
            self._flush_traces = tracer_provider.force_flush
            trace.set_tracer_provider(tracer_provider)
        if isinstance(meter_provider, MeterProvider):
            self._aggregates = False
        else:
            assert resource is not None
            meter_provider = self._meter_provider = self._make_meter_provider(resource)
            metrics.set_meter_provider(meter_provider)
        self._flush_metrics = meter_provider.force_flush
        self.meter_provider = meter_provider
        self.events = Events(lambda: resource or describe_process(identity), self._log_exporters)
        self.tracer = tracer_provider.get_tracer(semconv.SCOPE, __version__)
        self.child_span = child_spans(self.tracer, self._tracer_provider)
        self.meter = meter_provider.get_meter(semconv.SCOPE, __version__)
        atexit.register(self.shutdown)

    def duration_histogram(self, name: str) -> DurationHistogram:
        """Make the histogram of seconds that `semconv` describes under `name`."""
        described = semconv.METRICS[name]
        if not self._aggregates:
            return RecordingHistogram(self.meter, name, described.unit, described.meaning)
        histogram = AggregatingHistogram(name, described.unit, described.meaning)
        self._aggregating.append(histogram)
        return histogram

    def flush(self) -> bool:
        """Deliver what is recorded; wait for it at most as long as the settings say.

        Returns:
            Whether everything was handed over in time.
        """
        millis = int(self._timeout * 1000)

        def deliver() -> None:
            self._flush_traces(millis)
            self._flush_metrics(millis)
            self.events.flush(millis)

        made = self.losses.made
        delivered = self._bounded(deliver)
        if delivered and self._tracer_provider is not None:
            self._settle(made)
        return delivered

    def _settle(self, made: int) -> None:
        if self._target.kind == "files" and self.directory is None:
            self.losses.spans["no_directory"] = made
        else:
            self.losses.settle(made, 1 if self._target.kind == "files" else len(self._target.traces))

    def shutdown(self) -> None:
        """Flush and stop our own providers, within the bound; the application's are left alone."""
        if os.getpid() != self.pid:
            return
        atexit.unregister(self.shutdown)

        def stop() -> None:
            if self._tracer_provider is not None:
                self._tracer_provider.shutdown()
            if self._meter_provider is not None:
                self._meter_provider.shutdown(timeout_millis=self._timeout * 1000)
            self.events.shutdown()

        self._bounded(stop)

    def spans_lost(self) -> dict[str, int]:
        """Return the spans lost so far, by cause; those still queued count as delivered."""
        return {cause: number for cause, number in self.losses.spans.items() if number}

    def where(self) -> str:
        """Say where telemetry goes."""
        return str(self.directory) if self.directory else self._target.describe()

    def _bounded(self, action: Callable[[], None]) -> bool:
        # The SDK's flush ignores its deadline while an export hangs, so it is waited for from outside.
        done = self._deliverer.hand_over(action)
        if done.wait(self._timeout):
            return True
        logger.warning("ocr_otel: telemetry was not delivered within %.0f s and is given up.", self._timeout)
        return False

    def _make_directory(self, runs_dir: Path, resource: Resource) -> Path | None:
        directory = rank_directory(runs_dir, self.identity)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            description = {
                "format": RUN_FORMAT,
                "run_id": self.identity.run_id,
                "started_unix_nano": time.time_ns(),
                "service_name": str(resource.attributes.get("service.name", "")),
                "pid": self.pid,
                "rank": self.identity.rank,
                "world_size": self.identity.world_size,
            }
            (directory / "run.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            self.losses.lose(0, "no_directory", f"{directory} cannot be written: {error.strerror or error}")
            return None
        return directory.absolute()

    def _make_tracer_provider(self, resource: Resource) -> TracerProvider:
        provider = TracerProvider(resource=resource, shutdown_on_exit=False, id_generator=PrivateRandomIds())
        provider.add_span_processor(CountingProcessor(self.losses))
        queue = None if os.environ.get(OTEL_BSP_MAX_QUEUE_SIZE) else MAX_QUEUED_SPANS
        for exporter in self._span_exporters():
            guarded = GuardedSpanExporter(exporter, self.losses)
            provider.add_span_processor(BatchSpanProcessor(guarded, max_queue_size=queue))
        return provider

    def _make_meter_provider(self, resource: Resource) -> MeterProvider:
        exporters = self._metric_exporters()
        self._aggregates = not any(isinstance(each, MetricReader) for each in exporters)
        readers = [
            each
            if isinstance(each, MetricReader)
            else PeriodicExportingMetricReader(
                GuardedMetricExporter(each, self.losses, self._aggregating, self._scope),
                export_interval_millis=self._metrics_interval(),
            )
            for each in exporters
        ]
        return MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)

    def _metrics_interval(self) -> float | None:
        if os.environ.get("OTEL_METRIC_EXPORT_INTERVAL") or self._target.kind != "files":
            return None
        return FILE_METRICS_INTERVAL_MILLIS

    def _span_exporters(self) -> list[SpanExporter]:
        if self._target.kind == "files":
            from opentelemetry.exporter.otlp.json.file import FileSpanExporter

            return [FileSpanExporter(self.directory / "traces.jsonl")] if self.directory else []
        return [load_exporter("traces", name) for name in self._target.traces]

    def _metric_exporters(self) -> list[MetricExporter | MetricReader]:
        if self._target.kind == "files":
            from opentelemetry.exporter.otlp.json.file import FileMetricExporter

            return [FileMetricExporter(self.directory / "metrics.jsonl")] if self.directory else []
        return [load_exporter("metrics", name) for name in self._target.metrics]

    def _log_exporters(self) -> list[LogRecordExporter]:
        if self._target.kind == "files":
            from opentelemetry.exporter.otlp.json.file._log_exporter import FileLogExporter

            return [FileLogExporter(self.directory / "logs.jsonl")] if self.directory else []
        return [load_exporter("logs", name) for name in log_exporters()]


_current: Session | None = None


def session_for_process(settings: Settings, identity: Callable[[], RunIdentity]) -> Session | None:
    """Return this process's telemetry; the first call sets it up, later Trainers share it.

    Args:
        settings: The settings.
        identity: Asked once, when there is no session yet.

    Returns:
        The session, or None where `OTEL_SDK_DISABLED` is true.

    Raises:
        SettingsError: The environment names an exporter that is not there.
    """
    global _current
    if _current is None or _current.pid != os.getpid():
        target = destination()
        if target.kind == "disabled":
            return None
        _current = Session(settings, identity(), target)
    return _current


def rank_directory(runs_dir: Path, identity: RunIdentity) -> Path:
    """Return where a rank's files lie: the run's directory, or a folder in it where there are several ranks."""
    directory = runs_dir / identity.run_id
    return directory / f"rank-{identity.rank}" if identity.world_size > 1 else directory


def new_run_id() -> str:
    """Return a name for a run that sorts by time and is unique without coordination."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
