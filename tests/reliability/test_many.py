"""Many Trainers in one process: it holds no more threads, descriptors, files or memory after the last than before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.hard import end, start

SCRIPT = Path(__file__).parent / "many_entries.py"
LOOKS = 10
MOST_BYTES_AN_ENTRY = 400
"""What allocators keep back is more at times; a leaked span alone is above a kilobyte."""


def held(folder: Path, kind: str, number: int) -> list[dict[str, Any]]:
    """Do it so often; return what the process held meanwhile, from when it had warmed up."""
    more = {"OCR_OTEL_RESOURCE_INTERVAL": "0.5", "PYTHONWARNINGS": "ignore"}
    ended = end(start([SCRIPT, kind, number, LOOKS], folder, **more), 1500)
    assert ended.code == 0, ended.err
    found: list[dict[str, Any]] = json.loads(ended.out.splitlines()[-1])
    return found[LOOKS // 2 :]


def check(found: list[dict[str, Any]], entries: int) -> None:
    """Check that nothing grew over the second half."""
    first, last = found[0], found[-1]
    for what in ("threads", "python_threads", "descriptors", "files"):
        assert last[what] <= first[what], (what, found)
    between = entries * (len(found) - 1) / LOOKS
    grown = (last["rss"] - first["rss"]) / between
    assert grown <= MOST_BYTES_AN_ENTRY or last["rss"] - first["rss"] < 3e6, (f"{grown:.0f} bytes an entry", found)


@pytest.mark.timeout(300)
def test_some_trainers(tmp_path: Path) -> None:
    check(held(tmp_path, "trainers", 30), 30)


@pytest.mark.timeout(300)
def test_hundreds_of_entries(tmp_path: Path) -> None:
    check(held(tmp_path, "entries", 500), 500)


@pytest.mark.slow_reliability
@pytest.mark.timeout(1600)
def test_hundreds_of_trainers(tmp_path: Path) -> None:
    check(held(tmp_path, "trainers", 300), 300)


@pytest.mark.slow_reliability
@pytest.mark.timeout(1600)
def test_ten_thousand_entries(tmp_path: Path) -> None:
    check(held(tmp_path, "entries", 10_000), 10_000)
