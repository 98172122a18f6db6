"""What an exporter gets of the time line, through the real SDK."""

from __future__ import annotations

from time import perf_counter_ns

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from ocr_otel import semconv
from ocr_otel.resources.instruments import ResourceInstruments
from ocr_otel.resources.readings import series
from ocr_otel.resources.timeline import Timeline

GPU = series(semconv.GPU_UTILIZATION, hw_gpu_task="general", hw_id="GPU-0")
MEMORY = series(semconv.TORCH_ALLOCATED, device="cuda:0")
ENERGY = series(semconv.GPU_ENERGY, hw_id="GPU-0", hw_type="gpu")


class Exported:
    def __init__(self) -> None:
        self.timeline = Timeline()
        self.collections = 0
        self._reader = InMemoryMetricReader()
        meter = MeterProvider([self._reader]).get_meter("test")
        self.failures: list[tuple[str, str]] = []
        ResourceInstruments(meter, self.timeline, 1.0, self._collected, self._failed)

    def _collected(self) -> None:
        self.collections += 1

    def _failed(self, cause: str, error: Exception) -> None:
        self.failures.append((cause, str(error)))

    def points(self) -> dict[str, list[tuple[dict[str, object], float]]]:
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: [(dict(point.attributes), point.value) for point in metric.data.data_points]
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def exported() -> Exported:
    return Exported()


def test_a_share_is_exported_as_its_mean_and_its_highest_since_the_last_export(exported: Exported) -> None:
    for value in (0.2, 1.0, 0.6):
        exported.timeline.add(perf_counter_ns(), GPU, value)
    first = exported.points()
    assert first[semconv.GPU_UTILIZATION] == [(dict(GPU.attributes), pytest.approx(0.6))]
    assert first[semconv.GPU_UTILIZATION_MAX] == [(dict(GPU.attributes), 1.0)]
    exported.timeline.add(perf_counter_ns(), GPU, 0.1)
    second = exported.points()
    assert second[semconv.GPU_UTILIZATION][0][1] == pytest.approx(0.1)
    assert second[semconv.GPU_UTILIZATION_MAX][0][1] == pytest.approx(0.1)
    assert exported.collections == 2


def test_sizes_and_counters_are_exported_as_they_were_last(exported: Exported) -> None:
    for value in (5.0, 9.0, 7.0):
        exported.timeline.add(perf_counter_ns(), MEMORY, value)
        exported.timeline.add(perf_counter_ns(), ENERGY, value)
    found = exported.points()
    assert found[semconv.TORCH_ALLOCATED] == [({"device": "cuda:0"}, 7.0)]
    assert found[semconv.GPU_ENERGY][0][1] == 7.0


def test_a_series_that_is_not_read_any_more_ends(exported: Exported) -> None:
    exported.timeline.add(perf_counter_ns() - 60_000_000_000, GPU, 0.5)
    exported.timeline.add(perf_counter_ns() - 60_000_000_000, MEMORY, 5)
    assert exported.points() == {}


def test_every_metric_of_the_vocabulary_can_be_exported(exported: Exported) -> None:
    described = {name: each for name, each in semconv.RESOURCE_METRICS.items() if each.kind != "histogram"}
    for name in described:
        exported.timeline.add(perf_counter_ns(), series(name), 1.0)
    assert exported.points().keys() == described.keys()


def test_a_reading_that_cannot_be_exported_is_told_and_the_others_are(
    exported: Exported, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exported.timeline.add(perf_counter_ns(), MEMORY, 5.0)
    exported.timeline.add(perf_counter_ns(), ENERGY, 7.0)
    latest = exported.timeline.latest

    def failing(name: str, since: int) -> object:
        if name == semconv.TORCH_ALLOCATED:
            raise ValueError("unreadable")
        return latest(name, since)

    monkeypatch.setattr(exported.timeline, "latest", failing)
    assert exported.points().keys() == {semconv.GPU_ENERGY}
    assert exported.failures == [("resources", "unreadable")]
    # The SDK would log a traceback at each collection.
    assert not caplog.records
