"""What reading devices, processes and I/O costs, and how many series it makes, with many of all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from ocr_otel import semconv
from tests.performance.test_guard import GROSS
from tests.support.nvml import library, states
from tests.support.otlp import Metrics

LOAD: Final = Path(__file__).with_name("resource_load.py")
GPUS: Final = 8
WORKERS: Final = 16
CPU_SHARE: Final = 0.010
"""The goal: 10 ms of CPU a second, on a quiet machine."""
MAX_SERIES: Final = 1500
SECONDS: Final = 12


@pytest.fixture(scope="module")
def load(tmp_path_factory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("load")
    built = library.build(folder / "library")
    machine = library.Machine(folder / "machine", states.machine(*(states.a100(index) for index in range(GPUS))))
    done = subprocess.run(
        [sys.executable, str(LOAD), str(SECONDS)],
        cwd=folder,
        env=library.environment(built, machine.path) | {"OCR_OTEL_GPUS": "all", "PYTHONPATH": os.getcwd()},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.mark.timeout(200)
def test_reading_everything_costs_no_multiple_of_ten_milliseconds_of_cpu_a_second(load: dict[str, Any]) -> None:
    print(f"{load['share'] * 1e3:.2f} ms of CPU a second for {GPUS} GPUs and {WORKERS} workers")
    assert load["failures"] == []
    assert 0 < load["share"] < CPU_SHARE * GROSS


def test_the_series_of_a_rank_are_bounded(load: dict[str, Any]) -> None:
    points = Metrics(Path(load["directory"]) / "metrics.jsonl").points
    assert len(points[semconv.GPU_MEMORY_USAGE]) == GPUS
    workers = {dict(key).get(semconv.WORKER_ID) for key in points[semconv.PROCESS_MEMORY]} - {None}
    assert workers == set(range(WORKERS))
    assert sum(len(series) for series in points.values()) < MAX_SERIES
