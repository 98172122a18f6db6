"""`opentelemetry-instrument python train.py`, with OpenTelemetry's own distribution and other instrumentations."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.auto_instrumentation import TrainingInstrumentor
from tests.support.otlp import attributes
from tests.support.otlp_server import OtlpServer
from tests.support.scripts import FOLDER, LONGEST_RUN, clean_environment, run_python

COMMAND = Path(sys.executable).parent / "opentelemetry-instrument"

ASKED = "from ocr_otel.activation import is_off; print('off' if is_off() else 'on')"

IN_ORDER = """
import sys
from importlib.metadata import entry_points
from ocr_otel.activation import is_off
points = {point.name: point for point in entry_points(group="opentelemetry_instrumentor")}
for name in sys.argv[1:]:
    points[name].load()().instrument()
print(is_off())
points["ocr_otel"].load()().uninstrument()
print(is_off())
"""


def instrumented(arguments: list[object], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `opentelemetry-instrument python ...` with no `OTEL_*` and `OCR_OTEL_*` variables but those given."""
    return subprocess.run(
        [COMMAND, sys.executable, *map(str, arguments)],
        cwd=folder, env=clean_environment(**environment), capture_output=True, text=True, timeout=LONGEST_RUN,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OtlpServer, Path]]:
    folder = tmp_path_factory.mktemp("instrumented")
    with OtlpServer() as server:
        script = [FOLDER / "training_script.py", "plain", f"--root={folder / 'root'}", f"--losses={folder / 'l.json'}"]
        done = instrumented(
            script, folder, OTEL_EXPORTER_OTLP_ENDPOINT=server.endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_SERVICE_NAME="reader", OCR_OTEL_RUN_ID="run-1", OCR_OTEL_LOGS="info",
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="logging",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "already instrumented" not in done.stderr
        yield server, folder


def test_a_training_is_recorded_without_a_variable_of_ours(trained: tuple[OtlpServer, Path]) -> None:
    server, folder = trained
    names = [span.name for span in server.spans]
    assert names.count(semconv.FIT) == 1
    assert names.count(semconv.TRAIN_EPOCH) == 2
    assert semconv.TRAIN_BATCH in names
    assert not (folder / "runs").exists()


def test_the_providers_are_those_of_the_distribution_and_shared(trained: tuple[OtlpServer, Path]) -> None:
    server, _ = trained
    resources = [
        attributes(each.resource)
        for message in server.taken
        for kind in ("resource_spans", "resource_metrics", "resource_logs")
        for each in getattr(message, kind, ())
    ]
    assert {found["service.name"] for found in resources} == {"reader"}
    assert {found.get("telemetry.auto.version") is not None for found in resources} == {True}
    metrics = {metric.name for metric in server.metrics}
    assert semconv.METRIC_BATCH_DURATION in metrics
    assert "system.cpu.time" in metrics, "the other instrumentation works beside"


def test_the_run_is_named_where_the_resource_is_not_ours(trained: tuple[OtlpServer, Path]) -> None:
    server, _ = trained
    for name in (semconv.FIT, semconv.FIT + semconv.START_SUFFIX):
        (span,) = (span for span in server.spans if span.name == name)
        assert attributes(span)[semconv.RUN_ID] == "run-1"
        assert attributes(span)[semconv.RANK] == 0


def test_what_is_logged_goes_by_the_shared_provider_under_its_batch(trained: tuple[OtlpServer, Path]) -> None:
    server, _ = trained
    spans = {(span.trace_id, span.span_id): span.name for span in server.spans}
    (converted,) = (record for record in server.logs if record.body.string_value.startswith("UserWarning: Converting"))
    assert spans[converted.trace_id, converted.span_id] == semconv.TRAIN_BATCH
    (stopped,) = (record for record in server.logs if "`max_epochs=2` reached" in record.body.string_value)
    assert spans[stopped.trace_id, stopped.span_id] == semconv.TRAIN_EPOCH


@pytest.mark.parametrize(
    ("environment", "switch"),
    [
        ({}, "on"),
        ({"OCR_OTEL_ENABLED": "false"}, "off"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "requests, ocr_otel", "OCR_OTEL_ENABLED": "true"}, "off"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "*", "OCR_OTEL_ENABLED": "true"}, "off"),
        ({"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "system_metrics", "OCR_OTEL_ENABLED": "true"}, "on"),
    ],
)
def test_what_switches_it_on_and_off(tmp_path: Path, environment: dict[str, str], switch: str) -> None:
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    done = instrumented(["-c", ASKED], tmp_path, **quiet, **environment)
    assert done.stdout.strip() == switch, done.stderr


@pytest.mark.parametrize(
    "order", [("ocr_otel", "system_metrics", "logging"), ("logging", "system_metrics", "ocr_otel")]
)
def test_the_order_of_instrumentations_is_free_and_it_can_be_taken_back(tmp_path: Path, order: tuple[str, ...]) -> None:
    done = run_python(["-c", IN_ORDER, *order], tmp_path)
    assert done.stdout.splitlines() == ["False", "True"], done.stderr


def test_what_a_person_has_set_is_left_when_it_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_ENABLED", "yes")
    instrumentor = TrainingInstrumentor()
    instrumentor.instrument()
    instrumentor.uninstrument()
    assert os.environ["OCR_OTEL_ENABLED"] == "yes"
