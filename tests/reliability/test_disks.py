"""Disks that are full, read-only from the beginning or in the middle, or whose writes fail."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.hard import train_both
from tests.support.otlp_server import OtlpServer


@pytest.fixture(params=["files", "otlp"])
def target(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Files in the run directory, or an OTLP endpoint that answers, with what it needs of the disk."""
    if request.param == "files":
        yield {}
        return
    with OtlpServer() as server:
        yield {"OTEL_EXPORTER_OTLP_ENDPOINT": server.endpoint, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}


def test_a_full_disk(tmp_path: Path, small_disk: Path, target: dict[str, str]) -> None:
    (small_disk / "full").write_bytes(bytes(60_000))
    ended = train_both(tmp_path, "none", **target, OCR_OTEL_RUNS_DIR=str(small_disk / "runs"))
    assert ended.code == 0
    if not target:
        assert "telemetry is being lost" in ended.err


def test_a_disk_that_cannot_be_written(tmp_path: Path, read_only_disk: Path, target: dict[str, str]) -> None:
    ended = train_both(tmp_path, "none", **target, OCR_OTEL_RUNS_DIR=str(read_only_disk / "runs"))
    assert ended.code == 0
    assert "cannot be written" in ended.err or target


def test_a_disk_that_becomes_read_only_midway(tmp_path: Path, disk: Path, target: dict[str, str]) -> None:
    ended = train_both(tmp_path, "read-only-midway", disk, **target, OCR_OTEL_RUNS_DIR=str(disk / "runs"))
    assert ended.code == 0


def test_a_file_system_whose_writes_fail_midway(tmp_path: Path, target: dict[str, str]) -> None:
    ended = train_both(tmp_path, "writes-fail", **target)
    assert ended.code == 0
    if not target:
        assert "telemetry is being lost" in ended.err
