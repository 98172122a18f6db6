"""What the kernel refuses: descriptors, threads, stack; and a clock that is set back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.hard import train_both


def spans(folder: Path) -> list[dict[str, Any]]:
    """Return the spans in the run directory of a training that was recorded."""
    lines = (folder / "with" / "runs" / "run" / "traces.jsonl").read_text().splitlines()
    return [
        span
        for line in lines
        for resource in json.loads(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


def test_no_descriptors_when_the_recording_begins(tmp_path: Path) -> None:
    ended = train_both(tmp_path, "no-descriptors")
    assert ended.code == 0


def test_no_descriptors_in_the_middle(tmp_path: Path) -> None:
    ended = train_both(tmp_path, "no-descriptors", 7)
    assert ended.code == 0
    # What is open already goes on: the run's trace is complete.
    assert [span["name"] for span in spans(tmp_path)].count("train_epoch") == 2


@pytest.mark.usefixtures("root")
def test_no_threads_and_no_processes(tmp_path: Path) -> None:
    # The user that it becomes must be able to write.
    tmp_path.chmod(0o777)
    for each in ("without", "with"):
        (tmp_path / each).mkdir(mode=0o777)
        (tmp_path / each).chmod(0o777)
    ended = train_both(tmp_path, "no-threads")
    assert ended.code == 0
    assert "can't start new thread" in ended.out
    assert "can't start new thread" in ended.err


def test_a_clock_that_is_set_back_an_hour(tmp_path: Path) -> None:
    ended = train_both(tmp_path, "clock-steps-back")
    assert ended.code == 0
    found = spans(tmp_path)
    assert len(found) > 20
    for span in found:
        began, ended_at = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
        assert 0 <= ended_at - began < 120e9, span["name"]


@pytest.mark.parametrize("room", [20, 35, 50, 65, 80, 110, 140])
def test_a_training_at_the_end_of_the_stack(tmp_path: Path, room: int) -> None:
    """With less and less stack the training itself fails, or ours: then it fails as it does without us."""
    train_both(tmp_path, "near-the-stacks-end", room)
