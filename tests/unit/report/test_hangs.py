"""Hangs in a report: in text, Markdown, JSON and HTML."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.report import as_json, html, markdown, text
from ocr_otel.report.build import build
from ocr_otel.runs import Run, load

STACKS = "training process 7:\n  main thread:\n    train.py:31 in training_step <script>"


def attribute(name: str, value: str | float) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value} if isinstance(value, str) else {"doubleValue": value}}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    span = {
        "traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "fit", "kind": 1,
        "startTimeUnixNano": "1000000000", "endTimeUnixNano": "900000000000",
    }  # fmt: skip
    hang = {
        "timeUnixNano": "361000000000",
        "eventName": semconv.HANG_EVENT,
        "attributes": [
            attribute(semconv.HANG_DURATION, 330.0),
            attribute(semconv.SECTION, "train"),
            attribute(semconv.HANG_LINE, "train.py:31 in training_step"),
            attribute(semconv.HANG_STACKS, STACKS),
        ],
    }
    other = {"timeUnixNano": "1", "eventName": "gpu.error", "attributes": []}
    (tmp_path / "traces.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    (tmp_path / "logs.jsonl").write_text(
        json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [other, hang, {"body": {}}, 7]}]}]}) + "\n"
    )
    return load(tmp_path)


SENTENCE = "Nothing went on for 5 min 30 s in train, at train.py:31 in training_step."


def test_the_text_says_it(run: Run) -> None:
    file = io.StringIO()
    text.render(run, file)
    assert SENTENCE in file.getvalue()


def test_markdown_says_it(run: Run) -> None:
    assert "Nothing went on for 5 min 30 s in train" in markdown.render(run)


def test_json_has_it(run: Run) -> None:
    (found,) = json.loads(as_json.render(run))["hangs"]
    assert found == {
        "at": 360.0, "rank": 0, "section": "train", "seconds": 330.0, "line": "train.py:31 in training_step",
        "stacks": STACKS,
    }  # fmt: skip


def test_the_page_has_the_stacks_and_escapes_them(run: Run) -> None:
    page = html.page(build(run))
    assert SENTENCE in page
    assert "training_step &lt;script&gt;" in page
