"""Which run is reported, in which form, and what is said when it cannot be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.json.file import FileSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from typer.testing import CliRunner, Result

from ocr_otel import semconv
from ocr_otel.cli.main import app


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two runs; the one named `a` is newer."""
    for age, name in enumerate(("a", "b")):
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        provider = TracerProvider(resource=Resource({semconv.RUN_ID: name}))
        provider.add_span_processor(SimpleSpanProcessor(FileSpanExporter(folder / "traces.jsonl")))
        tracer = provider.get_tracer(semconv.SCOPE)
        with tracer.start_as_current_span(semconv.FIT), tracer.start_as_current_span(semconv.FIT_START):
            pass
        provider.shutdown()
        (folder / "run.json").write_text(json.dumps({"format": 1, "run_id": name, "started_unix_nano": 0}))
        os.utime(folder / "traces.jsonl", (1e9 - age, 1e9 - age))
    monkeypatch.setenv("OCR_OTEL_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


def report(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["report", *(str(each) for each in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize("which", [[], ["a"], ["--runs-dir", "DIR"], ["DIR/a"]])
def test_page_of_the_run_that_is_meant(runs: Path, which: list[str]) -> None:
    result = report(*(each.replace("DIR", str(runs)) for each in which))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(runs / "a" / "report.html")
    assert "<html" in (runs / "a" / "report.html").read_text()


def test_other_forms_go_to_the_terminal_or_to_a_file(runs: Path, tmp_path: Path) -> None:
    assert json.loads(report("b", "--format", "json").stdout)["run_id"] == "b"
    assert "fit" in report("b", "--format", "text").stdout
    assert report("b", "--format", "markdown").stdout.startswith("### fit ended: `b`\n")
    assert report("b", "--format", "json", "--output", tmp_path / "x.json").stdout.strip() == str(tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text())["run_id"] == "b"


@pytest.mark.parametrize("form", ["html", "json", "markdown", "text"])
def test_output_that_cannot_be_written_is_said(runs: Path, form: str) -> None:
    result = report("a", "--format", form, "--output", runs / "absent" / "file")
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in " ".join(result.stderr.split())


def test_run_that_is_not_there_is_said_with_those_that_are(runs: Path) -> None:
    result = report("c")
    assert result.exit_code == 1
    assert "b, a" in result.stderr


def test_no_runs_at_all_is_said(tmp_path: Path) -> None:
    assert report("--runs-dir", tmp_path).exit_code == 1
    assert report("--runs-dir", tmp_path / "absent").exit_code == 1
    assert report(tmp_path).exit_code == 1


def test_wrong_settings_are_said(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_FLUSH_TIMEOUT", "soon")
    assert "OCR_OTEL_FLUSH_TIMEOUT" in report().stderr
