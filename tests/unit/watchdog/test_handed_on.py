"""Lines are whole whatever was there before, and what is in them already is found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import spool
from ocr_otel.watchdog.handed_on import TAIL, handed_on
from ocr_otel.watchdog.lines import append, attributes, hand_on, line
from tests.support.watchdog_watching import spans

HEADER: dict[str, Any] = {"resource": {"attributes": []}, "scope": {"name": "ocr_otel"}}


def span(span_id: str, **more: Any) -> dict[str, Any]:
    return {"traceId": "1" * 32, "spanId": span_id, "name": "epoch", **more}


def test_integers_are_strings_and_booleans_are_no_integers() -> None:
    found = attributes({"a": 2**63, "b": True, "c": 0.5, "d": "x"})
    assert [each["value"] for each in found] == [
        {"intValue": str(2**63)},
        {"boolValue": True},
        {"doubleValue": 0.5},
        {"stringValue": "x"},
    ]


@pytest.mark.parametrize("before", [b"", b"whole\n", b"cut"])
def test_a_line_begins_behind_what_was_cut(tmp_path: Path, before: bytes) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(before)
    append(path, b"{}")
    assert path.read_bytes().splitlines()[-1] == b"{}"
    assert path.read_bytes().endswith(b"\n")
    assert len(path.read_bytes().splitlines()) == 1 + bool(before)


def test_a_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    append(tmp_path / "logs.jsonl", b"{}")
    assert (tmp_path / "logs.jsonl").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("target", ["files", "otlp"])
def test_a_span_that_was_handed_on_is_found_and_a_parent_or_a_link_is_not(tmp_path: Path, target: str) -> None:
    links = [{"traceId": "1" * 32, "spanId": "c"}]
    header = {**HEADER, "target": target}
    hand_on(tmp_path, header, "traces", [span("a", parentSpanId="b", links=links)])
    assert handed_on(tmp_path, target, ["a", "b", "c"]) == {"a"}
    assert handed_on(tmp_path, target, []) == set()


def test_only_the_end_is_looked_at_and_a_line_that_is_cut_there_is_no_problem(tmp_path: Path) -> None:
    filler = line("traces", HEADER, [span("f", name="x" * (TAIL - 2000))])
    for each in (line("traces", HEADER, [span("old")]), filler, line("traces", HEADER, [span("new")])):
        append(tmp_path / "traces.jsonl", each)
    with (tmp_path / "traces.jsonl").open("ab") as file:
        file.write(b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"spanId":"cut"')
    assert handed_on(tmp_path, "files", ["old", "new", "cut"]) <= {"old", "new"}
    assert "new" in handed_on(tmp_path, "files", ["old", "new", "cut"])
    for _ in range(2):
        append(tmp_path / "traces.jsonl", filler)
    assert handed_on(tmp_path, "files", ["old"]) == set()


@pytest.mark.parametrize(
    "content", ["[]", '{"resourceSpans":7}', '{"resourceSpans":[{"scopeSpans":["a"]}]}', "[" * 9999]
)
def test_lines_of_another_form_are_passed_over(tmp_path: Path, content: str) -> None:
    (tmp_path / "traces.jsonl").write_text(content + ' "a"\n' + content + '"a"')
    assert handed_on(tmp_path, "files", ["a"]) == set()


def test_newer_segments_of_a_spool_are_looked_at_first(tmp_path: Path) -> None:
    for name in ("a", "b"):
        spool.append(tmp_path / "spool", "traces", line("traces", HEADER, [span(name)]))
    first = min((tmp_path / "spool").glob("traces-*.jsonl"))
    first.write_bytes(first.read_bytes() + b" " * TAIL + b"\n")
    os.utime(first, (1, 1))
    assert handed_on(tmp_path, "otlp", ["a", "b"]) == {"b"}


def test_what_is_written_is_what_the_reader_of_runs_reads(tmp_path: Path) -> None:
    hand_on(tmp_path, {**HEADER, "target": "files"}, "traces", [span("a")])
    assert [each["spanId"] for each in spans(tmp_path)] == ["a"]
    assert json.loads((tmp_path / "traces.jsonl").read_text())["resourceSpans"][0]["resource"] == {"attributes": []}
