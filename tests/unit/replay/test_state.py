"""The state of a replay survives what happens to files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel.replay.lines import Position, TelemetryFile
from ocr_otel.replay.state import STATE_FILE, ReplayState


@pytest.fixture
def file(tmp_path: Path) -> TelemetryFile:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(b"x" * 100)
    return TelemetryFile(path, path.name, "traces")


def test_each_endpoint_has_its_own_position(tmp_path: Path, file: TelemetryFile) -> None:
    ReplayState(tmp_path, "http://a", True).advance(file, Position(10, 1))
    ReplayState(tmp_path, "http://b", True).advance(file, Position(20, 2))
    assert ReplayState(tmp_path, "http://a", True).position(file) == Position(10, 1)
    assert ReplayState(tmp_path, "http://b", True).position(file) == Position(20, 2)
    assert ReplayState(tmp_path, "http://c", True).position(file) == Position()
    assert ReplayState(tmp_path, "http://a", False).position(file) == Position()


def test_file_that_was_written_anew_begins_anew(tmp_path: Path, file: TelemetryFile) -> None:
    ReplayState(tmp_path, "http://a", True).advance(file, Position(100, 4))
    file.path.write_bytes(b"x" * 50)
    assert ReplayState(tmp_path, "http://a", True).position(file) == Position()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"format": 99, "endpoints": {"http://a": {"traces.jsonl": {"offset": 9, "line": 9}}}}',
        '{"format": 1, "endpoints": {"http://a": {"traces.jsonl": {"offset": "nine"}}}}',
        '{"format": 1, "endpoints": {"http://a": 7}}',
    ],
)
def test_unreadable_state_is_no_state(tmp_path: Path, file: TelemetryFile, content: str) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    state = ReplayState(tmp_path, "http://a", True)
    assert state.position(file) == Position()
    state.advance(file, Position(5, 1))
    assert json.loads((tmp_path / STATE_FILE).read_text())["endpoints"]["http://a"]


def test_state_that_cannot_be_written_is_kept_in_memory(tmp_path: Path, file: TelemetryFile) -> None:
    (tmp_path / STATE_FILE).mkdir()
    state = ReplayState(tmp_path, "http://a", True)
    state.advance(file, Position(5, 1))
    assert state.position(file) == Position(5, 1)
    assert "cannot be written" in state.unwritable
