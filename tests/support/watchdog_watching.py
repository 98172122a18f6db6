"""Sees from outside what a watchdog does."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: It is not in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.01)


def watched(place: Path) -> bool:
    """Whether a watchdog holds the journal."""
    try:
        file = os.open(place / "journal", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def watchdog_pids(place: Path) -> list[int]:
    """The processes that watch a directory."""
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"-S" in arguments and str(place).encode() in arguments:
            found.append(int(pid))
    return found


def status(pid: int) -> dict[str, str]:
    """What the kernel says of a process."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return {name: rest.strip() for name, _, rest in (line.partition(":") for line in lines)}


def begin(directory: Path, how: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a process that has a watchdog; see `watchdog_training`."""
    command = [sys.executable, "-m", "tests.support.watchdog_training", str(directory), how, *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next line that the process says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"it ended with {process.wait()}"
    found: dict[str, Any] = json.loads(line)
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a file that are whole; of one that is not there, none."""
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    found = []
    for line in content.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def spans(directory: Path, pattern: str = "traces.jsonl") -> list[dict[str, Any]]:
    """The spans that were written."""
    return [
        span
        for path in sorted(directory.glob(pattern))
        for line in lines(path)
        for resource in line["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def named(found: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    """The one span with a name."""
    (span,) = [each for each in found if each["name"] == name]
    return span


def attributes(item: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a span or a point, integers as integers."""
    found = {}
    for each in item.get("attributes", ()):
        (kind, value) = next(iter(each["value"].items()))
        found[each["key"]] = int(value) if kind == "intValue" else value
    return found


def metrics(directory: Path) -> dict[str, dict[str, Any]]:
    """The metrics that were written, by name."""
    return {
        metric["name"]: metric
        for line in lines(directory / "metrics.jsonl")
        for resource in line["resourceMetrics"]
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
    }
