"""Devices, memory, processes and I/O beside real trainings, switched on by environment variables alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_otel import semconv
from tests.support.otlp import Metrics, Span, Traces
from tests.support.scripts import FOLDER, run_python

SCRIPT = FOLDER / "resource_script.py"
MIB = 2**20
MAX_SERIES = 400
"""Series of one rank on a host without GPUs, with two workers, of everything together."""


class Trained:
    def __init__(self, folder: Path, *arguments: str, succeeds: bool = True, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        named = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUN_ID": "run"}
        self.done = run_python([SCRIPT, *arguments], folder, **named | environment)
        assert (self.done.returncode == 0) is succeeds, self.done.stderr[-3000:]
        self.directory = folder / "runs" / "run"

    @property
    def traces(self) -> Traces:
        return Traces(self.directory / "traces.jsonl")

    @property
    def metrics(self) -> Metrics:
        return Metrics(self.directory / "metrics.jsonl")

    def named(self, name: str) -> list[Span]:
        return [span for span in self.traces.spans if span.name == name]

    def report(self, style: str) -> str:
        return subprocess.run(
            [str(Path(sys.executable).parent / "ocr-otel"), "report", str(self.directory), "--format", style],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    return Trained(
        tmp_path_factory.mktemp("plain"), "--epochs=2", "--batches=40", "--seconds=0.05", "--workers=2",
        OCR_OTEL_RESOURCE_INTERVAL="0.2",
    )  # fmt: skip


def test_the_training_and_its_workers_are_told_apart(trained: Trained) -> None:
    labels = [dict(key) for key in trained.metrics.points[semconv.PROCESS_CPU_TIME]]
    roles = {(each[semconv.PROCESS_ROLE], each.get(semconv.WORKER_ID)) for each in labels}
    assert {("main", None), ("worker", 0), ("worker", 1)} <= roles
    assert "ocr_otel failed" not in trained.done.stderr


def test_each_epoch_says_what_was_read_in_its_time(trained: Trained) -> None:
    for epoch in trained.named(semconv.TRAIN_EPOCH):
        assert 0 < epoch.attributes[semconv.MAIN_CPU] < 2
        assert epoch.attributes[semconv.MAIN_MEMORY_MAX] > 100 * MIB
        assert epoch.attributes[semconv.WORKERS_MEMORY_MAX] > 50 * MIB
        assert semconv.GPU_USED_MEAN not in epoch.attributes


def test_the_number_of_series_of_a_rank_is_bounded(trained: Trained) -> None:
    assert 100 < sum(len(series) for series in trained.metrics.points.values()) < MAX_SERIES


def test_reading_is_counted_among_our_own_costs(trained: Trained) -> None:
    (fit,) = trained.named(semconv.FIT)
    assert 0 < trained.metrics.value(semconv.METRIC_OVERHEAD, part="resources") < 0.2 * fit.seconds


def test_nothing_is_read_where_the_setting_says_so(tmp_path) -> None:
    trained = Trained(tmp_path, OCR_OTEL_RESOURCE_INTERVAL="0")
    assert not trained.metrics.points.keys() & semconv.RESOURCE_METRICS.keys()
    (epoch,) = trained.named(semconv.TRAIN_EPOCH)
    assert not [name for name in epoch.attributes if name.startswith(semconv.RESOURCE_PREFIX)]


def test_a_leak_is_named_with_its_slope_and_a_run_without_is_not_accused(tmp_path) -> None:
    leaking = Trained(tmp_path / "leaking", "--epochs=16", f"--leak={5 * MIB}")
    (fit,) = leaking.named(semconv.FIT)
    assert fit.attributes[semconv.MEMORY_GROWTH] == pytest.approx(5 * MIB, rel=0.1)
    (told,) = re.findall(r"grows by ([\d.]+) MiB an epoch", leaking.report("text"))
    assert float(told) == pytest.approx(5, rel=0.1)
    sound = Trained(tmp_path / "sound", "--epochs=16")
    (fit,) = sound.named(semconv.FIT)
    assert semconv.MEMORY_GROWTH not in fit.attributes


def test_a_batch_that_waited_for_a_disk_says_so(tmp_path) -> None:
    file = tmp_path / "cold"
    file.write_bytes(os.urandom(MIB) * 256)
    trained = Trained(
        tmp_path, "--batches=120", "--seconds=0.03", f"--cold-file={file}", "--cold-batch=80",
        OCR_OTEL_RESOURCE_INTERVAL="0.2",
    )  # fmt: skip
    (batch,) = [span for span in trained.named(semconv.TRAIN_BATCH) if span.attributes[semconv.BATCH_IDX] == 80]
    assert batch.attributes[semconv.KEPT] == "slow"
    assert "io_rose" in batch.attributes[semconv.SLOW_REASONS]
    assert batch.attributes[semconv.SLOW_READ] > 10 * batch.attributes[f"{semconv.SLOW_READ}.median"]


def test_a_run_that_asked_for_more_memory_than_there_is_says_what_held_it(tmp_path) -> None:
    trained = Trained(tmp_path, "--exhaust", succeeds=False)
    (fit,) = trained.named(semconv.FIT)
    event = fit.events[semconv.OUT_OF_MEMORY]
    assert event[semconv.OOM_DEVICE] == "cpu"
    assert event[semconv.OOM_PARAMETERS] == 4 * 5
    assert event[semconv.OOM_RESIDENT] > 100 * MIB
    assert "can't allocate memory" in trained.done.stderr
