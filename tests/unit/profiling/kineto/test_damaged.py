"""Whatever is wrong inside a trace: it is read as far as it goes, or told in a sentence; nothing else is raised."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ocr_otel.profiling import serial
from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.kineto.source import TraceError
from ocr_otel.profiling.span_events import events_of
from tests.support.kineto_traces import Workload, render

Events = list[dict[str, Any]]
ODD: list[Any] = [0, -1, 1e300, "x", None, [], {}, True, 2**70, -(2**63), 1e-9, "", 0.5, "0x1f"]
CATEGORIES = ["cpu_op", "user_annotation", "cuda_runtime", "kernel", "gpu_memcpy", "python_function", None]
pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(scope="module")
def events() -> Events:
    found: Events = json.loads(
        render(Workload(batches=2, layers=4, items=2, collective_bytes=10**6, pinned=False, stack=True))
    )["traceEvents"]
    return found


def some_categories(events: Events, chance: random.Random) -> Events:
    kept = set(chance.sample(CATEGORIES, chance.randint(1, 4)))
    return [each for each in events if each.get("cat") in kept]


def a_few(events: Events, chance: random.Random) -> Events:
    return chance.sample(events, chance.randint(0, 50))


def odd_values(events: Events, chance: random.Random) -> Events:
    found = []
    for each in chance.sample(events, 200):
        changed = {**each, "args": dict(each.get("args", {}))}
        if chance.random() < 0.2:
            changed[chance.choice(["ts", "dur", "name", "pid", "tid", "cat", "ph", "args"])] = chance.choice(ODD)
        elif changed["args"] and chance.random() < 0.4:
            changed["args"][chance.choice(list(changed["args"]))] = chance.choice(ODD)
        found.append(changed)
    return found


def odd_times(events: Events, chance: random.Random) -> Events:
    found = [dict(each) for each in chance.sample(events, 200)]
    for each in found:
        if "ts" in each and chance.random() < 0.3:
            each["ts"] = chance.choice([0, each["ts"] + chance.uniform(-1e4, 1e4), 1e15, -5])
        if "dur" in each and chance.random() < 0.3:
            each["dur"] = chance.choice([0, -3, 1e9, each["dur"] * 3])
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("damage", [some_categories, a_few, odd_values, odd_times])
def test_damaged_events(
    damage: Callable[[Events, random.Random], Events], seed: int, events: Events, tmp_path: Path
) -> None:
    text = json.dumps({"traceEvents": damage(events, random.Random(seed))})
    _survives(text, tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_text(seed: int, events: Events, tmp_path: Path) -> None:
    chance = random.Random(seed)
    characters = list(json.dumps({"traceEvents": events}))
    for _ in range(chance.randint(1, 5)):
        characters[chance.randrange(len(characters))] = chance.choice('"{}[]\\,x\n\0')
    _survives("".join(characters), tmp_path)


def _survives(text: str, folder: Path) -> None:
    path = folder / "trace.json"
    path.write_text(text)
    try:
        profile = profile_of(path)
    except TraceError:
        return
    assert profile.seconds >= 0
    assert serial.loads(serial.dumps(profile)) == profile
    assert events_of(profile)
