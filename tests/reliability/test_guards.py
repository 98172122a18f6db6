"""An exception planted into any function of ours never reaches the training, and what failed is said once."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.hard import end, start

PLANTING = Path(__file__).parent / "planting.py"
SHARES = 12
LONGEST_SHARE = 1500.0
LONGEST = 30.0
"""Seconds that one tiny training may take with a plant in it: the bounds of ours, and no more."""


def planted(folder: Path, share: str) -> dict[str, Any]:
    """Plant into a share of our functions; return what became of it."""
    results = folder / "results.json"
    more = {"OCR_OTEL_RESOURCE_INTERVAL": "0.2", "OCR_OTEL_SUMMARY": "true", "OCR_OTEL_FLUSH_TIMEOUT": "2"}
    ended = end(start([PLANTING, results, share], folder, **more), LONGEST_SHARE)
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(results.read_text())
    return found


def judge(found: dict[str, Any]) -> None:
    """Check that no plant reached a training."""
    results = found["found"]
    reached = [each for each in results if each["called"]]
    assert reached
    raised = [f"{each['target']} ({each['times']}): {each['problem']}" for each in reached if each["problem"]]
    assert not raised, "reached the training:\n" + "\n".join(raised)
    changed = [each["target"] for each in reached if not each["same"]]
    assert not changed, f"changed the losses: {changed}"
    loud = [(each["target"], line) for each in reached for line, times in Counter(each["said"]).items() if times > 1]
    assert not loud, f"said more than once: {loud}"
    slow = [(each["target"], each["seconds"]) for each in reached if each["seconds"] > LONGEST]
    assert not slow, f"held the training up: {slow}"
    left = [each["target"] for each in reached if each["busy"]]
    assert not left, f"left the recorder busy: {left}"
    same, problem, said, fits = found["after"]
    assert (same, problem, said) == (True, "", [])
    assert fits >= 1, "a later training is not recorded"


@pytest.mark.timeout(600)
def test_plants_in_some_functions(tmp_path: Path) -> None:
    judge(planted(tmp_path, f"0/{SHARES * 3}"))


@pytest.mark.slow_reliability
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("share", range(SHARES))
def test_plants_in_every_function(tmp_path: Path, share: int) -> None:
    judge(planted(tmp_path, f"{share}/{SHARES}"))
