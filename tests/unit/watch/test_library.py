"""Which runs are shown, and what is said of those that cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ocr_otel.runs import RunError
from ocr_otel.watch.library import MAX_RUNS, Library
from ocr_otel.watch.now import State
from tests.support import synthetic_run
from tests.support.run_directory import complete
from tests.support.synthetic_run import Shape


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A directory of runs: one good, and others that are not."""
    base = tmp_path / "runs"
    synthetic_run.make(base / "good", Shape(epochs=1))
    newer = complete(base / "newer")
    (newer / "run.json").write_text(json.dumps({"format": 99}))
    (base / "empty").mkdir()
    (base / "being-made").mkdir()
    (base / "being-made" / "traces.jsonl").touch()
    cut = synthetic_run.make(base / "cut", Shape(epochs=1, outcome=""))
    with (cut / "traces.jsonl").open("r+b") as file:
        file.truncate(os.path.getsize(file.name) - 100)
    damaged = complete(base / "damaged")
    (damaged / "traces.jsonl").write_bytes(b"\x00\xff{[\n" * 3 + b"[" * 100_000 + b"\n")
    return base


def test_each_run_is_a_line_with_its_state_or_why_it_cannot_be_read(runs: Path) -> None:
    found = {name: (now, error) for name, now, error in Library(runs).listed()}
    assert found.keys() == {"good", "newer", "being-made", "cut", "damaged"}
    assert found["good"][0] is not None
    assert found["good"][0].said == "completed"
    assert "upgrade" in found["newer"][1]
    for name in ("being-made", "cut", "damaged"):
        assert found[name][0] is not None, found[name][1]
        assert found[name][0].state is not State.ENDED


@pytest.mark.parametrize("name", ["../outside", "..", ".", "", "/etc", "good/../../outside", "link", "empty"])
def test_nothing_but_the_runs_there_can_be_named(runs: Path, name: str) -> None:
    outside = complete(runs.parent / "outside")
    (runs / "link").symlink_to(outside)
    with pytest.raises(RunError, match="there is no run"):
        Library(runs).followed(name)


def test_the_newest_runs_are_listed_and_of_one_that_was_named_only_that(runs: Path) -> None:
    for number in range(MAX_RUNS + 5):
        made = complete(runs / f"more-{number:02}")
        for path in made.glob("*.jsonl"):
            os.utime(path, (2e9 + number, 2e9 + number))
    names = list(Library(runs).runs())
    assert len(names) == MAX_RUNS
    assert names[:2] == ["more-24", "more-23"]
    assert list(Library(runs, runs / "good").runs()) == ["good"]


def test_directory_that_is_not_there_yet_has_no_runs(tmp_path: Path) -> None:
    assert Library(tmp_path / "later").listed() == []
