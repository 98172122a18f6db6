"""What an exporter gets of the recording's instruments where an observer fails, through the real SDK."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ocr_otel import semconv
from ocr_otel.recording.instruments import Instruments
from ocr_otel.telemetry.failures import report
from tests.unit.conftest import Memory

COLLECTIONS = 4


def test_an_observer_that_fails_is_told_once_counted_and_observes_nothing(
    memory: Memory, caplog: pytest.LogCaptureFixture
) -> None:
    reader = InMemoryMetricReader()
    memory.session.meter = MeterProvider([reader]).get_meter("test")
    said: set[str] = set()

    def failed(cause: str, error: Exception) -> None:
        report(said, cause, error)
        instruments.error(cause)

    def drain() -> None:
        raise OSError("the journal cannot be read")

    instruments = Instruments(memory.session, drain, lambda: {"hooks": 1}, failed)
    for _ in range(COLLECTIONS):
        data = reader.get_metrics_data()
        assert data is not None
        points = {
            metric.name: metric.data.data_points
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        assert not points.get(semconv.METRIC_RUN_ACTIVE)
        assert points[semconv.METRIC_OVERHEAD]
    (counted,) = points[semconv.METRIC_ERRORS]
    assert (dict(counted.attributes), counted.value) == ({semconv.CAUSE: "metrics"}, COLLECTIONS)
    # Neither more of ours, nor a traceback of the SDK's.
    (record,) = caplog.records
    assert "failed in metrics" in record.getMessage()
    assert "the journal cannot be read" in record.getMessage()
