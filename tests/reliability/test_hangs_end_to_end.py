"""Real trainings that hang, with nothing but the environment variable: their own watchdog says where."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv

SCRIPT = Path(__file__).parents[1] / "support" / "hang_lightning.py"
DEADLINE = 120.0

Start = Callable[[str], subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a training; it and its workers are killed in the end."""
    started: list[subprocess.Popen[str]] = []
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_"))}
    settings = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUN_ID": "run", "OCR_OTEL_HANG_AFTER": "2"}

    def begin(where: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPT), where]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=clean | settings, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        # With its workers: one that hangs does not see that its parent is gone.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def hangs(folder: Path) -> list[dict[str, Any]]:
    """Return the attributes of all hangs that were told."""
    path = folder / "runs" / "run" / "logs.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    records = [
        record
        for line in lines
        if line.endswith("\n")
        for scope in json.loads(line)["resourceLogs"][0]["scopeLogs"]
        for record in scope["logRecords"]
    ]
    return [
        {pair["key"]: next(iter(pair["value"].values())) for pair in record["attributes"]}
        for record in records
        if record.get("eventName") == semconv.HANG_EVENT
    ]


def wait_for_hang(folder: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    until = time.monotonic() + DEADLINE
    while not (found := [hang for hang in hangs(folder) if hang[semconv.SECTION] == "train"]):
        assert process.poll() is None, "the training is gone"
        assert time.monotonic() < until, "no hang was told"
        time.sleep(0.1)
    return found[0]


def planted() -> str:
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if line.endswith("# planted")]
    return f"{SCRIPT.name}:{number} in deadlock"


@pytest.mark.parametrize("where", ["step", "second"])
def test_a_step_that_waits_for_ever_is_told_with_its_line(tmp_path: Path, start: Start, where: str) -> None:
    # Lightning puts back the handlers of all signals when a fit is over: the second one must be told as well.
    process = start(where)
    hang = wait_for_hang(tmp_path, process)
    assert hang[semconv.HANG_LINE] == planted()
    assert "in training_step" in hang[semconv.HANG_STACKS]
    assert "/" not in hang[semconv.HANG_STACKS]
    assert hang[semconv.BATCH_IDX] == "30"


def test_a_worker_that_waits_for_ever_is_told_with_its_line(tmp_path: Path, start: Start) -> None:
    process = start("worker")
    hang = wait_for_hang(tmp_path, process)
    training, _, worker = hang[semconv.HANG_STACKS].partition("\nworker")
    assert "in _try_get_data" in training
    assert planted() in worker


def test_a_training_that_becomes_slower_and_slower_is_not_accused(tmp_path: Path, start: Start) -> None:
    process = start("none")
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    assert "trained\n" in said
    assert hangs(tmp_path) == []
