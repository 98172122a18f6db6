"""Trainings that Ray starts: one in a task, and one of Ray Train on two workers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from ocr_otel import semconv
from tests.support.otlp import Traces
from tests.support.scripts import FOLDER, clean_environment

pytestmark = [
    pytest.mark.skipif(find_spec("ray") is None, reason="needs `pip install 'ray[train]'`, which no group has"),
    pytest.mark.timeout(600),
]


def start(what: str, folder: Path) -> Path:
    """Run `ray_script.py`; return the directory of the run."""
    # Ray makes sockets there, whose paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray") as short:
        done = subprocess.run(
            [sys.executable, FOLDER / "ray_script.py", what],
            cwd=folder,
            env=clean_environment(
                OCR_OTEL_ENABLED="true", OCR_OTEL_RUNS_DIR=str(folder / "runs"), OCR_OTEL_RUN_ID="ray-run",
                RAY_USAGE_STATS_ENABLED="0", RAY_TMPDIR=short,
            ),
            capture_output=True, text=True, timeout=500, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "ocr_otel failed" not in done.stdout + done.stderr
    return folder / "runs" / "ray-run"


def test_a_training_in_a_task_is_recorded(tmp_path: Path) -> None:
    traces = Traces(start("task", tmp_path) / "traces.jsonl")
    assert traces.root(semconv.FIT).attributes[semconv.BATCHES] == 8
    assert traces.resource[semconv.RUN_ID] == "ray-run"


def test_the_workers_of_ray_train_are_ranks_of_one_run(tmp_path: Path) -> None:
    directory = start("train", tmp_path)
    ranks = [Traces(directory / f"rank-{rank}" / "traces.jsonl") for rank in range(2)]
    for rank, traces in enumerate(ranks):
        assert traces.resource[semconv.RANK] == rank
        assert traces.resource[semconv.WORLD_SIZE] == 2
        assert traces.resource[semconv.RUN_ID] == "ray-run"
        assert traces.root(semconv.FIT).attributes[semconv.BATCHES] == 8
    first, second = ({batch.trace_id for batch in traces.roots(semconv.TRAIN_BATCH)} for traces in ranks)
    assert first & second, "the ranks' batches of one step share a trace"
