"""Lines, their positions, and how they are gathered into requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel.replay.lines import Damage, Line, Position, ReplayError, TelemetryFile, gather, read, telemetry_files


def request(spans: int) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [{}] * spans}]}]}).encode() + b"\n"


def file_of(tmp_path: Path, content: bytes) -> TelemetryFile:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(content)
    return TelemetryFile(path, path.name, "traces")


def test_reading_goes_on_at_any_position_it_gave(tmp_path: Path) -> None:
    file = file_of(tmp_path, request(1) + b"\n" + request(2) + request(3))
    lines = [line for line in read(file, Position()) if isinstance(line, Line)]
    assert [(line.items, line.after.line) for line in lines] == [(1, 1), (2, 3), (3, 4)]
    rest = list(read(file, lines[0].after))
    assert rest == lines[1:]
    assert list(read(file, lines[-1].after)) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{\n", "not JSON at column"),
        (b"[]\n", "no list resourceSpans"),
        (b"7\n", "no list resourceSpans"),
        (b'{"resourceSpans":{}}\n', "no list resourceSpans"),
        (b'{"resourceSpans":[7]}\n', "not in its form"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":7}]}]}\n', "not in its form"),
        (b"\xff\xff\xfd\n", "not UTF-8"),
        (b"\x00\x00\x00\x00\n", "not "),
        (b"[" * 100_000 + b"\n", ""),
    ],
)
def test_damage_is_explained_and_passed_over(tmp_path: Path, content: bytes, reason: str) -> None:
    damage, line = read(file_of(tmp_path, content + request(1)), Position())
    assert isinstance(damage, Damage)
    assert reason in damage.reason
    assert damage.line == 1
    assert damage.after == Position(len(content), 1)
    assert isinstance(line, Line)


def test_cut_last_line_is_not_passed_over(tmp_path: Path) -> None:
    whole = request(1)
    *_, damage = read(file_of(tmp_path, whole + whole[:30]), Position())
    assert isinstance(damage, Damage)
    assert damage.after == Position(len(whole), 1)


def test_bare_nan_becomes_the_string_of_the_protobuf_mapping(tmp_path: Path) -> None:
    content = b'{"resourceSpans":[{"scopeSpans":[],"x":[NaN,-Infinity]}]}\n'
    (line,) = read(file_of(tmp_path, content), Position())
    assert isinstance(line, Line)
    assert line.resources[0]["x"] == ["NaN", "-Infinity"]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([(1, 1)], [1]),
        ([(4, 1), (4, 1), (4, 1)], [2, 1]),
        ([(1, 40), (1, 40), (1, 40)], [2, 1]),
        ([(1, 1), (99, 999), (1, 1)], [1, 1, 1]),
    ],
)
def test_requests_stay_within_both_bounds(sizes: list[tuple[int, int]], expected: list[int]) -> None:
    lines = [Line([], items, size, Position()) for items, size in sizes]
    assert [len(batch) for batch in gather(lines, max_items=10, max_bytes=100)] == expected


def test_files_come_by_signal_then_by_rank(tmp_path: Path) -> None:
    for name in ("rank-10/traces.jsonl", "rank-2/traces.jsonl", "rank-2/logs.jsonl", "rank-2/metrics.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [file.name for file in telemetry_files(tmp_path)]
    assert names == ["rank-2/traces.jsonl", "rank-10/traces.jsonl", "rank-2/metrics.jsonl", "rank-2/logs.jsonl"]
    assert [file.name for file in telemetry_files(tmp_path, ["logs"])] == ["rank-2/logs.jsonl"]


def test_what_is_no_run_directory_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"holds none of traces\.jsonl"):
        telemetry_files(tmp_path)
    with pytest.raises(ReplayError, match="is not a directory"):
        telemetry_files(tmp_path / "absent")
