"""The vocabulary agrees with the conventions that it repeats, and with Prometheus's translation of names."""

from __future__ import annotations

import pytest
from opentelemetry.semconv._incubating.metrics import hw_metrics, process_metrics, system_metrics

from ocr_otel import semconv
from ocr_otel.semconv import Name, prometheus_name

CONVENTIONS = {
    value
    for module in (hw_metrics, process_metrics, system_metrics)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in semconv.RESOURCE_METRICS | semconv.FOREIGN_METRICS
        if name.startswith(("hw.", "process.", "system."))
    ],
)
def test_names_of_a_convention_are_the_conventions(name: str) -> None:
    assert name in CONVENTIONS


@pytest.mark.parametrize(
    ("name", "kind", "unit", "expected"),
    [
        ("training.batch.duration", "histogram", "s", "training_batch_duration_seconds"),
        ("training.samples", "counter", "{sample}", "training_samples_total"),
        ("training.throughput.samples", "gauge", "{sample}/s", "training_throughput_samples_per_second"),
        ("training.data_wait.ratio", "gauge", "1", "training_data_wait_ratio"),
        ("training.run.active", "gauge", "{run}", "training_run_active"),
        ("training.logged", "gauge", "", "training_logged"),
        ("system.disk.io", "counter", "By", "system_disk_io_bytes_total"),
        ("hw.temperature", "gauge", "Cel", "hw_temperature_celsius"),
    ],
)
def test_a_metric_is_called_in_prometheus(name: str, kind: str, unit: str, expected: str) -> None:
    assert prometheus_name(Name(name, kind, unit, "", "")) == expected
