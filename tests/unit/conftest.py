"""A recorder on real SDK providers that keep what they get in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ocr_otel.recording import Recorder
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity, Session
from ocr_otel.telemetry.exporting import Destination


@dataclass
class Memory:
    """What was recorded."""

    exporter: InMemorySpanExporter
    session: Session

    def recorder(self, **arguments: object) -> Recorder:
        return Recorder(self.session, Settings(), **arguments)  # type: ignore[arg-type]

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]


@pytest.fixture(scope="session")
def _providers() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
    return exporter


@pytest.fixture
def memory(_providers: InMemorySpanExporter) -> Iterator[Memory]:
    _providers.clear()
    session = Session(Settings(), RunIdentity("run"), Destination("files"))
    yield Memory(_providers, session)
    _providers.clear()
