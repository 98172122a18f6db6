"""Processes that really hang, and others that only look like it, watched as the watchdog does."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv

SCRIPT = Path(__file__).parents[1] / "support" / "hang_training.py"
HANG_AFTER = 0.6
DEADLINE = 60.0

Start = Callable[..., subprocess.Popen[str]]


@dataclass
class Told:
    """A log record about a hang.

    Attributes:
        record: As it was written.
        attributes: Its attributes.
    """

    record: dict[str, Any]
    attributes: dict[str, Any]

    @property
    def line(self) -> str:
        return str(self.attributes[semconv.HANG_LINE])

    @property
    def stacks(self) -> str:
        return str(self.attributes[semconv.HANG_STACKS])


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a variant; all that was started is killed in the end."""
    started: list[subprocess.Popen[str]] = []

    def begin(variant: str, directory: Path = tmp_path, hang_after: float = HANG_AFTER) -> subprocess.Popen[str]:
        directory.mkdir(exist_ok=True)
        command = [sys.executable, str(SCRIPT), str(directory), str(hang_after), variant]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def value(attribute: dict[str, Any]) -> Any:
    [(kind, found)] = attribute["value"].items()
    return int(found) if kind == "intValue" else found


def read(directory: Path, signal_name: str, keys: tuple[str, str, str]) -> list[dict[str, Any]]:
    path = directory / f"{signal_name}.jsonl"
    content = path.read_text(encoding="utf-8") if path.exists() else ""
    requests = [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith("\n")]
    return [item for request in requests for item in request[keys[0]][0][keys[1]][0][keys[2]]]


def told(directory: Path) -> list[Told]:
    records = read(directory, "logs", ("resourceLogs", "scopeLogs", "logRecords"))
    return [Told(each, {pair["key"]: value(pair) for pair in each["attributes"]}) for each in records]


def counts(directory: Path) -> list[dict[str, int]]:
    """Return the counter by section, each time that it was written."""
    metrics = read(directory, "metrics", ("resourceMetrics", "scopeMetrics", "metrics"))
    assert {metric["name"] for metric in metrics} <= {semconv.METRIC_HANGS}
    return [
        {value(point["attributes"][0]): int(point["asInt"]) for point in metric["sum"]["dataPoints"]}
        for metric in metrics
    ]


def wait_for_hang(directory: Path, process: subprocess.Popen[str]) -> Told:
    until = time.monotonic() + DEADLINE
    while not (found := told(directory)):
        assert process.poll() is None, "the training is gone"
        assert time.monotonic() < until, "no hang was told"
        time.sleep(0.05)
    return found[0]


def planted(mark: str) -> str:
    """Return a planted line as stacks name it."""
    lines = SCRIPT.read_text(encoding="utf-8").splitlines()
    [number] = [number for number, line in enumerate(lines, 1) if line.endswith(f"# planted: {mark}")]
    return f"{SCRIPT.name}:{number} in "


def test_a_dead_lock_is_told_once_with_its_line_and_harms_nobody(tmp_path: Path, start: Start) -> None:
    process = start("deadlock")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    found = wait_for_hang(tmp_path, process)
    assert found.line == planted("dead lock") + "deadlock"
    assert f"training process {process.pid}:\n  main thread (state S, in futex_" in found.stacks
    assert found.stacks.index("in deadlock") < found.stacks.index("in batch") < found.stacks.index("in <module>")
    # A child that would be killed by the signal did not get it.
    assert re.search(rf"process {child}:\n  sleep: no Python stack \(state S, in \w+\)", found.stacks)
    os.kill(child, 0)
    assert "/" not in found.stacks
    assert found.record["eventName"] == semconv.HANG_EVENT
    assert (found.record["severityNumber"], found.record["severityText"]) == (13, "WARN")
    assert (found.record["traceId"], found.record["spanId"]) == ("1" * 32, "2" * 16)
    assert found.record["body"]["stringValue"].endswith(f" s (train, epoch 3, batch 5): {found.line}")
    attributes = found.attributes
    assert attributes[semconv.SECTION] == "train"
    assert (attributes[semconv.EPOCH], attributes[semconv.BATCH_IDX]) == (3, 5)
    assert HANG_AFTER <= attributes[semconv.HANG_BOUND] <= attributes[semconv.HANG_DURATION]
    first, *_, last = counts(tmp_path)
    assert set(first.values()) == {0}
    assert last == first | {"train": 1}
    # It goes on standing still, and is not told again.
    time.sleep(3 * attributes[semconv.HANG_BOUND])
    assert len(told(tmp_path)) == 1
    assert process.poll() is None


def test_a_call_that_keeps_the_interpreters_lock_does_not_hide_its_line(tmp_path: Path, start: Start) -> None:
    found = wait_for_hang(tmp_path, start("gil"))
    assert found.line == planted("GIL held") + "hold_the_interpreter"


def test_a_training_in_another_thread_than_the_main_one_is_told_by_that(tmp_path: Path, start: Start) -> None:
    found = wait_for_hang(tmp_path, start("thread"))
    assert found.line == planted("dead lock") + "deadlock"
    assert found.stacks.index("thread that trains (") < found.stacks.index("main thread (")


def test_a_worker_that_hangs_is_told_by_its_own_stack(tmp_path: Path, start: Start) -> None:
    process = start("fork")
    found = wait_for_hang(tmp_path, process)
    training, _, workers = found.stacks.partition("\nworker")
    assert planted("dead lock") not in training
    assert "in __next__" in training
    assert planted("dead lock") + "deadlock" in workers
    assert "in __getitem__" in workers
    assert process.poll() is None


def test_a_spawned_worker_is_named_and_not_killed(tmp_path: Path, start: Start) -> None:
    process = start("spawn", hang_after=1.0)
    found = wait_for_hang(tmp_path, process)
    assert "in __next__" in found.stacks
    assert re.search(r"process(es)? [\d, ]+:\n  \S+: no Python stack \(state S", found.stacks)
    assert process.poll() is None


def test_a_collective_that_waits_for_another_process_is_found(tmp_path: Path, start: Start) -> None:
    process = start("collective", tmp_path / "rank-0", 1.0)
    start("absent", tmp_path / "rank-1", 1.0)
    found = wait_for_hang(tmp_path / "rank-0", process)
    assert "in all_reduce" in found.stacks
    assert "hang_training.py" in found.stacks


def test_a_slow_run_is_not_accused(tmp_path: Path, start: Start) -> None:
    process = start("growing")
    assert process.wait(DEADLINE) == 0
    assert told(tmp_path) == []
    assert counts(tmp_path) == [dict.fromkeys(map(str, semconv.Section), 0)]


def test_a_stopped_run_is_not_accused(tmp_path: Path, start: Start) -> None:
    process = start("goes-on")
    assert process.stdout is not None
    assert process.stdout.readline() == "trains\n"
    os.kill(process.pid, signal.SIGSTOP)
    # Nothing can be waited for: it is about what does not come.
    time.sleep(8 * HANG_AFTER)
    assert told(tmp_path) == []
    os.kill(process.pid, signal.SIGCONT)
    time.sleep(4 * HANG_AFTER)
    assert told(tmp_path) == []
