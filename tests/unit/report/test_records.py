"""What the program logged, read from files and shown in text, Markdown, JSON and HTML."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.report import as_json, html, markdown, text
from ocr_otel.report.build import build
from ocr_otel.report.records import MAX_RECORDS
from ocr_otel.runs import load
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

HOSTILE = "<script>alert(1)</script>\x1b[2J|"


def attribute(name: str, value: str | int) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": str(value)}}


def record(time: int, words: str, severity: Any = 13, **more: Any) -> dict[str, Any]:
    plain = {"timeUnixNano": str(time), "severityNumber": severity, "severityText": "WARN"}
    return plain | {"body": {"stringValue": words}} | more


def write(folder: Path, *records: Any, logger: Any = "reader") -> None:
    scope = {"scope": {"name": logger}, "logRecords": list(records)}
    with (folder / "logs.jsonl").open("a") as file:
        file.write(json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return synthetic_run.make(tmp_path / "run", Shape(epochs=1, batches=40, kept=4, slow=2, workers=0))


def test_a_record_is_shown_with_its_slow_batch_that_was_kept_only_later(folder: Path) -> None:
    slow = next(batch for batch in load(folder).batches if batch.slow)
    place = [
        attribute(semconv.STAGE, "train"),
        attribute(semconv.EPOCH, 0),
        attribute(semconv.BATCH_IDX, int(slow.span.number(semconv.BATCH_IDX))),
    ]
    write(folder, record(slow.span.start + 1, "in it", traceId="ab" * 16, attributes=place))
    write(folder, record(slow.span.end + 10**12, "of another fit", traceId="ab" * 16, attributes=place))
    data = build(load(folder))
    (row,) = (row for row in data.kept if row.trace_id == slow.span.trace_id)
    assert [each.text for each in row.records] == ["in it"]
    assert {each.text for each in data.records} == {"in it", "of another fit"}


def test_the_same_words_are_told_once_with_how_often(folder: Path) -> None:
    write(folder, *(record(10**18 + number, "again") for number in range(5)), record(10**18, "once"))
    rows = {row.text: row for row in build(load(folder)).records}
    assert (rows["again"].times, rows["once"].times) == (5, 1)


def test_of_very_many_the_severe_ones_stay(folder: Path) -> None:
    write(folder, record(1, "an error", 17, severityText="ERROR"))
    write(folder, *(record(10**18 + number, f"line {number}", 9, severityText="INFO") for number in range(6_000)))
    data = build(load(folder))
    assert len(data.records) == MAX_RECORDS
    assert data.records[0].text == "an error"
    assert data.records[-1].text == "line 5999"
    assert data.records_in_all == "1 error, 6,000 messages"


def test_severities_by_name_and_damaged_records_are_read(folder: Path) -> None:
    write(folder, record(5, "named", "SEVERITY_NUMBER_ERROR2"), record(6, "none", None), 7, {"body": 3}, {})
    write(folder, record("x", "no time"), {"body": {"stringValue": ""}}, logger=7)  # type: ignore[arg-type]
    rows = {row.text: row for row in build(load(folder)).records}
    assert set(rows) == {"named", "none", "no time"}
    assert (rows["named"].level, rows["none"].level) == ("error", "debug")


def test_hostile_words_are_only_words_in_every_form(folder: Path) -> None:
    first = load(folder).batches[0].span
    place = [
        attribute(semconv.STAGE, HOSTILE),
        attribute(semconv.EPOCH, HOSTILE),
        attribute(semconv.BATCH_IDX, HOSTILE),
    ]
    write(folder, record(first.start, HOSTILE, 17, traceId=first.trace_id, attributes=place), logger=HOSTILE)
    run = load(folder)
    file = io.StringIO()
    text.render(run, file)
    assert "\x1b[2J" not in file.getvalue()
    assert "alert(1)" in file.getvalue()
    assert "<script>" not in re.sub("`[^`]*`", "", markdown.render(run)), "in code it is text"
    page = html.page(build(run))
    assert "<script>alert" not in page
    assert "Messages of the program" in page
    assert HOSTILE in json.loads(as_json.render(run))["records"][0]["text"]


def test_a_run_without_records_says_nothing_of_them(folder: Path) -> None:
    run = load(folder)
    file = io.StringIO()
    text.render(run, file)
    assert "The program logged" not in file.getvalue() + markdown.render(run)
    assert 'id="h-records"' not in html.page(build(run))
