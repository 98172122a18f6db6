"""What the doctor says of telemetry that waits."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ocr_otel.cli.checks import Status, check_spool
from ocr_otel.spool import Store, append


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith(("OCR_OTEL_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OCR_OTEL_RUNS_DIR", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_nothing_waits(runs: Path) -> None:
    [found] = check_spool()
    assert found.status is Status.OK
    assert "nothing waits" in found.finding
    assert not runs.exists()


def test_what_waits_is_told_with_its_size_age_and_command(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(runs / "my run" / "spool", "traces", bytes(2_999_999))
    append(runs / "other" / "rank-1" / "spool", "metrics", bytes(99_999))
    then = time.time() - 3 * 3600 - 60
    os.utime(runs / "my run" / "spool" / "traces-00000001.jsonl", (then, then))
    [found] = check_spool()
    assert found.status is Status.WARN
    assert found.finding == f"3.1 MB below {runs} was not taken by its endpoint, the oldest of it 3 h ago"
    assert found.advice.startswith(f"ocr-otel replay '{runs / 'my run'}' --endpoint http")
    assert found.advice.endswith("(and so for 1 more)")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4317")
    [found] = check_spool()
    assert found.advice.startswith(f"python -m ocr_otel.telemetry.delivery '{runs / 'my run'}'")


def test_what_a_living_run_is_sending_is_no_concern(runs: Path) -> None:
    store = Store(runs / "run" / "spool", 1_000_000)
    store.append("traces", b"x")
    [found] = check_spool()
    assert found.status is Status.OK
    assert "being delivered" in found.finding


def test_wrong_settings_are_told_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_BATCH_SPANS", "many")
    assert check_spool() == []
