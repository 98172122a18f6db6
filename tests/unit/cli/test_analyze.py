"""`ocr-otel analyze`: any trace or run, in any form, and what is said when there is nothing to read."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ocr_otel.cli.main import app
from tests.support.kineto_cpu import record
from tests.support.kineto_traces import render, sync_bound, write


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    return write(sync_bound(), tmp_path / "rank0.pt.trace.json.gz")


def analyze(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["analyze", *(str(each) for each in arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_verdict_evidence_and_tables_are_printed(trace: Path) -> None:
    result = analyze(trace)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("rank0.pt.trace.json.gz: ")
    assert "6 batches" in lines[0]
    assert lines[1].startswith("1. synchronization: ")
    assert any("Evidence: host waiting" in line for line in lines)
    for table in ("Host", "Device", "Phases", "Operators", "Kernels", "Transfers", "Synchronizations", "Gaps"):
        assert table in [line.strip() for line in lines]
    assert "aten::item in forward" in result.stdout


def test_json_is_for_programs(trace: Path) -> None:
    found = json.loads(analyze(trace, "--format", "json").stdout)
    assert found["format"] == 1
    assert found["causes"][0]["kind"] == "synchronization"
    assert found["causes"][0]["speedup"] > 1
    assert found["causes"][0]["evidence"]
    assert found["profile"]["device"]["kernels"] > 1000
    assert found["profile"]["complete"]


def test_markdown_is_for_pull_requests(trace: Path) -> None:
    text = analyze(trace, "--format", "markdown").stdout
    assert text.startswith("### ")
    assert "| evidence | value | source |" in text
    assert text.count("<details>") == text.count("</details>") >= 6


def test_a_page_is_written_beside_the_trace_or_where_it_is_wanted(trace: Path, tmp_path: Path) -> None:
    result = analyze(trace, "--format", "html")
    page = tmp_path / "rank0.pt.trace.html"
    assert result.stdout.strip() == str(page)
    assert "synchronization" in page.read_text().lower()
    result = analyze(trace, "--format", "html", "--output", tmp_path / "other.html")
    assert result.stdout.strip() == str(tmp_path / "other.html")
    assert (tmp_path / "other.html").is_file()


def test_other_forms_are_written_to_a_file_too(trace: Path, tmp_path: Path) -> None:
    result = analyze(trace, "--format", "json", "-o", tmp_path / "found.json")
    assert result.stdout.strip() == str(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text())["format"] == 1
    result = analyze(trace, "-o", tmp_path / "nowhere" / "found.txt")
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr


def test_a_real_trace_without_a_device_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "plain.json"
    record(path)
    result = analyze(path)
    assert result.exit_code == 0
    assert "There are no events of a device" in result.stdout
    assert result.stdout.splitlines()[1].startswith("1. ")


def test_a_trace_that_is_cut_off_is_told_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    text = render(sync_bound())
    path.write_text(text[: len(text) * 3 // 4])
    result = analyze(path)
    assert result.exit_code == 0
    assert "cut off" in result.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "no JSON"),
        (b"{}", 'no "traceEvents"'),
        (b'{"traceEvents": []}', "no events"),
        (b'{"traceEvents": [{"ph": "X", ', "cut off"),
        (gzip.compress(b'{"epoch": 3}', mtime=0), 'no "traceEvents"'),
        (gzip.compress(b'{"traceEvents": [', mtime=0)[:-8], "cut off"),
    ],
)
def test_what_is_no_trace_is_one_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(content)
    result = analyze(path)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("ocr-otel: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    result = analyze(tmp_path / "nothing.json")
    assert result.exit_code == 1
    assert "is not there" in result.stderr
    result = analyze("nothing", "--runs-dir", tmp_path)
    assert result.exit_code == 1
    assert "'nothing' is neither a path nor a run" in result.stderr
    result = analyze(tmp_path)
    assert result.exit_code == 1
    assert result.stdout == ""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    directory = tmp_path / "runs" / "a"
    (directory / "profiles").mkdir(parents=True)
    (directory / "traces.jsonl").write_text("")
    (directory / "run.json").write_text(json.dumps({"format": 1, "run_id": "a", "started_unix_nano": 0}))
    return directory


def test_a_run_without_a_window_says_how_to_get_one(run: Path) -> None:
    result = analyze(run)
    assert result.exit_code == 1
    assert "ocr-otel profile a" in result.stderr
    assert "OCR_OTEL_PROFILE_EVERY" in result.stderr


def test_the_newest_window_of_a_run_is_read_and_named(run: Path) -> None:
    for age, name in enumerate(("0-002-periodic", "0-001-start")):
        path = write(sync_bound(batches=2), run / "profiles" / f"{name}.pt.trace.json.gz")
        os.utime(path, (1e9 - age, 1e9 - age))
    (run / "profiles" / "0-003-periodic.profile.json").write_text("{}")
    for arguments in ((run,), ("a", "--runs-dir", run.parent), ("--runs-dir", run.parent)):
        result = analyze(*arguments)
        assert result.exit_code == 0
        assert result.stderr.strip().endswith("0-002-periodic.pt.trace.json.gz, the newest of 2")
        assert result.stdout.startswith("0-002-periodic.pt.trace.json.gz: ")
