"""Windows of the profiler in real trainings: when they open, what they leave, and what they leave alone."""

from __future__ import annotations

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.profiling import serial
from ocr_otel.semconv import ProfileMode
from tests.support.otlp import Span, Traces
from tests.support.scripts import FOLDER, run_python

ALL = "start,validation,anomaly,on-demand"


def train(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    enabled = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUNS_DIR": str(folder / "runs"), "OCR_OTEL_RUN_ID": "run"}
    done = run_python([FOLDER / "profiled_script.py", *arguments], folder, **enabled | environment)
    assert done.returncode == 0, done.stderr
    return done


def weights(done: subprocess.CompletedProcess[str]) -> str:
    return next(line for line in done.stdout.splitlines() if line.startswith("weights"))


def windows(folder: Path) -> list[Span]:
    found = [span for span in Traces(folder / "runs" / "run" / "traces.jsonl").spans if span.name == semconv.PROFILE]
    return sorted(found, key=lambda span: span.start)


@pytest.fixture(scope="module")
def every_mode(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("windows")
    return folder, train(
        folder,
        "--slow-batch=33",
        # Steps that are long beside what a busy machine adds to one.
        "--step-seconds=0.02",
        OCR_OTEL_PROFILE=ALL,
        OCR_OTEL_PROFILE_EVERY="25",
        OCR_OTEL_PROFILE_DETAILS="shapes,stack,memory,flops",
        # All of them are to be read, however long a busy machine takes for that.
        OCR_OTEL_FLUSH_TIMEOUT="60",
    )


def test_each_mode_opens_its_window(every_mode: tuple[Path, Any]) -> None:
    found = [span.attributes for span in windows(every_mode[0])]
    by_mode = {mode: [each for each in found if each[semconv.PROFILE_MODE] == mode] for mode in ProfileMode}
    assert [each[semconv.PROFILE_FIRST_BATCH] for each in by_mode[ProfileMode.START]] == [0]
    assert [each[semconv.PROFILE_FIRST_BATCH] for each in by_mode[ProfileMode.VALIDATION]] == [0]
    # After 25, 50 and 75 batches of 40 an epoch, with one to warm up; the window after 75 is cut by nothing.
    assert [(each[semconv.EPOCH], each[semconv.PROFILE_FIRST_BATCH]) for each in by_mode[ProfileMode.PERIODIC]] == [
        (0, 26),
        (1, 11),
        (1, 36),
    ]
    assert [(each[semconv.EPOCH], each[semconv.PROFILE_FIRST_BATCH]) for each in by_mode[ProfileMode.ANOMALY]] == [
        (0, 35)
    ]
    assert by_mode[ProfileMode.ON_DEMAND] == []
    assert all(semconv.PROFILE_FAILED not in each for each in found)


def test_a_window_is_linked_to_the_traces_of_its_batches(every_mode: tuple[Path, Any]) -> None:
    by_id = Traces(every_mode[0] / "runs" / "run" / "traces.jsonl").by_id
    for window in windows(every_mode[0]):
        batches = [by_id[link].attributes for link in window.links]
        known = window.attributes
        first, number = known[semconv.PROFILE_FIRST_BATCH], known[semconv.PROFILE_BATCHES]
        assert [each[semconv.BATCH_IDX] for each in batches] == list(range(first, first + number))
        assert {each[semconv.KEPT] for each in batches} == {semconv.Kept.PROFILED}
        assert by_id[window.parent_id].name == (
            semconv.VALIDATION if known[semconv.PROFILE_MODE] == ProfileMode.VALIDATION else semconv.TRAIN_EPOCH
        )


def test_the_trace_has_our_names_and_lies_beside_what_was_read_of_it(every_mode: tuple[Path, Any]) -> None:
    folder = every_mode[0] / "runs" / "run" / "profiles"
    for window in windows(every_mode[0]):
        known = window.attributes
        path = folder / known[semconv.PROFILE_FILE]
        assert path.stat().st_size == known[semconv.PROFILE_FILE_SIZE]
        events = json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
        names = {event["name"] for event in events if event.get("cat") == "user_annotation"}
        first = known[semconv.PROFILE_FIRST_BATCH]
        for number in range(known[semconv.PROFILE_BATCHES]):
            assert f"train_batch epoch={known[semconv.EPOCH]} batch={first + number}" in names
        assert semconv.FORWARD in names
        profile = serial.loads((folder / path.name.replace(".pt.trace.json.gz", ".profile.json")).read_text())
        assert len(profile.batches) == known[semconv.PROFILE_BATCHES]
        assert profile.range(semconv.FORWARD) is not None
        assert window.events
    assert not list(folder.glob("*.tmp*"))


def test_the_result_is_the_same_bit_by_bit(every_mode: tuple[Path, Any], tmp_path: Path) -> None:
    bare = train(tmp_path, "--slow-batch=33", OCR_OTEL_ENABLED="false")
    assert weights(every_mode[1]) == weights(bare)


def test_what_it_cost_is_told(every_mode: tuple[Path, Any]) -> None:
    assert all(span.attributes[semconv.PROFILE_OVERHEAD] > 0 for span in windows(every_mode[0]))
    assert any(semconv.PROFILE_SLOWDOWN in span.attributes for span in windows(every_mode[0]))


def test_an_epochs_end_cuts_a_window_short(tmp_path: Path) -> None:
    train(tmp_path, "--batches=10", "--epochs=1", OCR_OTEL_PROFILE="off", OCR_OTEL_PROFILE_EVERY="7")
    (window,) = windows(tmp_path)
    known = window.attributes
    assert (known[semconv.PROFILE_FIRST_BATCH], known[semconv.PROFILE_BATCHES]) == (8, 2)


def test_a_window_that_is_due_at_an_epochs_end_opens_with_the_next(tmp_path: Path) -> None:
    train(tmp_path, "--batches=10", "--epochs=2", OCR_OTEL_PROFILE="off", OCR_OTEL_PROFILE_EVERY="10")
    (window,) = windows(tmp_path)
    known = window.attributes
    assert (known[semconv.EPOCH], known[semconv.PROFILE_FIRST_BATCH]) == (1, 1)
    assert known[semconv.PROFILE_BATCHES] == 3


def test_off_opens_none(tmp_path: Path) -> None:
    train(tmp_path, "--slow-batch=33", OCR_OTEL_PROFILE="off")
    assert windows(tmp_path) == []
    assert not (tmp_path / "runs" / "run" / "profiles").exists()


def test_ours_stands_back_where_the_trainer_has_one(tmp_path: Path) -> None:
    done = train(tmp_path, "--own-profiler=trainer", OCR_OTEL_PROFILE=ALL, OCR_OTEL_PROFILE_EVERY="10")
    assert windows(tmp_path) == []
    assert done.stderr.count("another profiler of PyTorch is active") == 1


def test_ours_gives_way_to_one_that_starts_meanwhile(tmp_path: Path) -> None:
    done = train(tmp_path, "--own-profiler=callback", OCR_OTEL_PROFILE="off", OCR_OTEL_PROFILE_EVERY="10")
    alone = train(tmp_path / "..", "--own-profiler=callback", OCR_OTEL_ENABLED="false")
    assert weights(done) == weights(alone)
    own = [line for line in done.stdout.splitlines() if line.startswith("own events")]
    # Two batches of two linear layers.
    assert own == ["own events 4"]
    first = windows(tmp_path)[0].attributes
    assert "another profiler" in first[semconv.PROFILE_FAILED]
    assert all(semconv.PROFILE_FAILED not in span.attributes for span in windows(tmp_path)[1:])


def test_a_profiler_that_raises_in_its_end_is_no_matter_of_the_training(tmp_path: Path) -> None:
    done = train(tmp_path, "--break-stop", "--batches=12", OCR_OTEL_PROFILE="off", OCR_OTEL_PROFILE_EVERY="5")
    bare = train(tmp_path, "--batches=12", OCR_OTEL_ENABLED="false")
    assert weights(done) == weights(bare)
    assert done.stderr.count("CUPTI went away") == 1
    assert all("CUPTI went away" in span.attributes[semconv.PROFILE_FAILED] for span in windows(tmp_path))
    assert windows(tmp_path)


def test_trace_files_keep_within_their_limit(tmp_path: Path) -> None:
    train(
        tmp_path,
        "--epochs=1",
        OCR_OTEL_PROFILE="off",
        OCR_OTEL_PROFILE_EVERY="6",
        OCR_OTEL_PROFILE_FILES_SIZE="1000000",
        OCR_OTEL_PROFILE_DETAILS="stack",
    )
    files = list((tmp_path / "runs" / "run" / "profiles").glob("*.json.gz"))
    assert sum(file.stat().st_size for file in files) <= 1_000_000 or len(files) == 1
