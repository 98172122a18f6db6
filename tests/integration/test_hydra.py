"""Real applications of Hydra and LightningCLI in a directory of their own, configured by files and command lines."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocr_otel import semconv
from tests.support.otlp import Metrics, Traces
from tests.support.preloaded import Program, begin
from tests.support.scripts import FOLDER

pytestmark = pytest.mark.timeout(300)


@dataclass
class Application:
    """What an application left."""

    folder: Path
    status: int
    output: str

    @property
    def runs(self) -> list[Path]:
        return sorted(path.parent for path in self.folder.rglob("traces.jsonl"))

    @property
    def traces(self) -> Traces:
        (run,) = self.runs
        return Traces(run / "traces.jsonl")


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Application]:
    """Runs a copy of the application of Hydra, which is nowhere near ocr_otel."""
    folder = tmp_path / "team"
    shutil.copytree(FOLDER / "hydra_app", folder)

    def start(*arguments: str, **environment: str) -> Application:
        output = tmp_path / "output"
        program = Program([str(folder / "train.py"), *arguments], folder, output, environment)
        status = begin(program).wait(deadline_seconds=200)
        return Application(folder, status, output.read_text(encoding="utf-8"))

    return start


def test_parts_are_switched_on_alone_by_their_files(run: Callable[..., Application]) -> None:
    done = run(
        "+callbacks=[throughput_monitor,resource_monitor]",
        "callbacks.throughput_monitor.log_interval=2",
        "callbacks.throughput_monitor.track_memory=false",
        "callbacks.resource_monitor.interval=0.05",
        "callbacks.resource_monitor.io_pressure_max=0",
    )
    assert done.status == 0, done.output
    assert "ocr_otel failed" not in done.output
    assert "trained 20 imported []" in done.output
    lines = [line for line in done.output.splitlines() if line.startswith("ocr_otel epoch")]
    assert [line.split(":")[0] for line in lines] == ["ocr_otel epoch 1"]
    assert "samples/s" in lines[0]
    assert "memory" not in lines[0]
    # Hydra changed into the job's directory, and what is recorded is there.
    (directory,) = done.runs
    assert directory.parent.name == "runs"
    assert directory.parents[2].parent.name == "outputs"
    (metrics,) = directory.parents[1].glob("lightning_logs/*/metrics.csv")
    rows = [row for row in csv.DictReader(metrics.open()) if row[semconv.TRACKED_EPOCH]]
    assert [float(row["epoch"]) for row in rows] == [1.0]
    assert semconv.TRACKED_THROUGHPUT in rows[0]
    assert semconv.TRACKED_PROCESS_MEMORY not in rows[0]
    fit = done.traces.root(semconv.FIT)
    assert semconv.PROFILE not in {span.name for span in done.traces.spans}
    assert fit.attributes[semconv.HYDRA_JOB_NAME] == "train"
    assert semconv.HYDRA_JOB_NUMBER not in fit.attributes
    assert semconv.PROCESS_MEMORY in Metrics(directory / "metrics.jsonl").points


def test_a_multirun_is_one_run_with_a_trace_for_each_job_and_arguments_go_before_the_environment(
    run: Callable[..., Application],
) -> None:
    done = run(
        "--multirun",
        "+callbacks=[ocr_otel,profiler]",
        "rate=0.1,0.2",
        "callbacks.ocr_otel.run_id=sweep",
        "callbacks.profiler.modes=[start]",
        "callbacks.profiler.profile_steps=2",
        OCR_OTEL_RUN_ID="of-the-environment",
        OCR_OTEL_BATCH_SPANS="2",
        OCR_OTEL_PROFILE_BATCHES="5",
        OCR_OTEL_SUMMARY="false",
    )
    assert done.status == 0, done.output
    assert "ocr_otel failed" not in done.output
    assert "Verdict" not in done.output
    (directory,) = done.runs
    assert directory.name == "sweep"
    fits = done.traces.roots(semconv.FIT)
    assert [fit.attributes[semconv.HYDRA_JOB_NUMBER] for fit in fits] == [0, 1]
    windows = [span for span in done.traces.spans if span.name == semconv.PROFILE]
    assert [window.attributes[semconv.PROFILE_BATCHES] for window in windows] == [2, 2]
    assert {window.trace_id for window in windows} == {fit.trace_id for fit in fits}
    files = {window.attributes[semconv.PROFILE_FILE] for window in windows}
    assert files == {path.name for path in (directory / "profiles").glob("*.gz")}
    assert len(files) == 2
    # What no argument says is as the environment has it: two batches an epoch, and those of the window.
    kept = [batch.attributes[semconv.KEPT] for batch in done.traces.roots(semconv.TRAIN_BATCH)]
    assert 0 < sum(why in ("first", "regular") for why in kept) <= 8


def test_off_in_the_environment_silences_a_configuration(run: Callable[..., Application]) -> None:
    done = run("+callbacks=[ocr_otel,throughput_monitor]", OCR_OTEL_ENABLED="false")
    assert done.status == 0, done.output
    assert "trained 20" in done.output
    assert "ocr_otel epoch" not in done.output
    assert not done.runs


def test_lightning_cli_appends_callbacks_with_arguments(tmp_path: Path) -> None:
    program = Program(
        [
            str(FOLDER / "cli_app.py"),
            "fit",
            "--trainer.callbacks+=ocr_otel.OTelCallback",
            "--trainer.callbacks.batch_spans=2",
            "--trainer.callbacks.runs_dir=recorded",
            "--trainer.callbacks+=ocr_otel.ThroughputMonitor",
            "--trainer.callbacks.log_interval=2",
            "--trainer.accelerator=cpu",
            "--trainer.max_epochs=2",
            "--trainer.logger=false",
            "--trainer.enable_checkpointing=false",
        ],
        tmp_path,
        tmp_path / "output",
        {"OCR_OTEL_BATCH_SPANS": "9"},
    )
    status = begin(program).wait(deadline_seconds=200)
    done = Application(tmp_path, status, (tmp_path / "output").read_text(encoding="utf-8"))
    assert done.status == 0, done.output
    assert "ocr_otel failed" not in done.output
    assert "imported []" in done.output
    assert "ocr_otel epoch 0" not in done.output
    assert "ocr_otel epoch 1" in done.output
    (directory,) = done.runs
    assert directory.parent == tmp_path / "recorded"
    kept = [batch.attributes[semconv.KEPT] for batch in done.traces.roots(semconv.TRAIN_BATCH)]
    assert 0 < sum(why in ("first", "regular") for why in kept) <= 4
