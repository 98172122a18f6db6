"""What real experiment trackers hold after a training: numbers, ids, links and the report; and what a bad one does."""

from __future__ import annotations

import csv
import html
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ocr_otel import semconv
from tests.support import ranked
from tests.support.otlp import Metrics, Span, Traces
from tests.support.preloaded import Program, begin
from tests.support.scripts import FOLDER
from tests.support.wandb_offline import items, records

SCRIPT = FOLDER / "tracked_script.py"
NUMBERS = {
    semconv.TRACKED_THROUGHPUT: semconv.THROUGHPUT,
    semconv.TRACKED_BATCH_MEAN: semconv.BATCH_MEAN,
    semconv.TRACKED_BATCH_P50: semconv.BATCH_P50,
    semconv.TRACKED_BATCH_P95: semconv.BATCH_P95,
    semconv.TRACKED_BATCH_P99: semconv.BATCH_P99,
    semconv.TRACKED_DATA_WAIT: semconv.DATA_WAIT_RATIO,
}
"""By the attributes of the epochs' spans."""
LAST_STEPS = [9, 19]
"""Of the two epochs."""


class Trained:
    """What a training with all loggers left."""

    def __init__(self, folder: Path, status: int, output: str) -> None:
        self.folder = folder
        self.status = status
        self.output = output
        self.traces = Traces(folder / "runs" / "run" / "traces.jsonl")

    @property
    def fit(self) -> Span:
        return self.traces.root(semconv.FIT)

    @property
    def epochs(self) -> list[Span]:
        return sorted(self.fit.all(semconv.TRAIN_EPOCH), key=lambda span: span.start)

    def check(self, numbers: list[dict[str, float]]) -> None:
        """Check the numbers of each epoch as a tracker has them."""
        assert len(numbers) == 2
        for found, span in zip(numbers, self.epochs, strict=True):
            for name, attribute in NUMBERS.items():
                # TensorBoard keeps single precision.
                assert found[name] == pytest.approx(span.attributes[attribute], rel=1e-6), name
            # An epoch that is shorter than the time between two readings may have none.
            resident = span.attributes.get(semconv.MAIN_MEMORY_MAX, span.attributes[semconv.MEMORY_RSS])
            assert found[semconv.TRACKED_PROCESS_MEMORY] == pytest.approx(resident, rel=1e-6)
            assert found["epoch"] == span.attributes[semconv.EPOCH]
            assert 0 < found[semconv.TRACKED_VALIDATION] < found[semconv.TRACKED_EPOCH]
            verdict = semconv.TRACKED_VERDICT_PREFIX + span.attributes[semconv.BOTTLENECK_KIND]
            assert found[verdict] == pytest.approx(span.attributes[semconv.BOTTLENECK_SHARE], rel=1e-6)
            assert set(found) - {"epoch"} <= set(semconv.TRACKED)

    def check_links(self, texts: dict[str, str]) -> None:
        """Check that a tracker leads to the run and its trace."""
        assert texts[semconv.TRACKED_RUN_ID] == "run"
        assert texts[semconv.TRACKED_TRACE_ID] == self.fit.trace_id
        assert texts[semconv.TRACKED_JAEGER] == f"https://jaeger.example/ui/trace/{self.fit.trace_id}"
        assert re.fullmatch(
            r"https://grafana\.example/d/ocr-otel-run\?var-run=run&to=now&var-service=ocr-training&from=\d{13}",
            texts[semconv.TRACKED_GRAFANA],
        )

    def verdict(self) -> str:
        return str(self.fit.attributes[semconv.BOTTLENECK_SUMMARY])

    def tracker_id(self, kind: str) -> str:
        """The id of the run in a tracker, which is on `fit` and on `fit.start`."""
        name = f"{semconv.TRACKER_ID_PREFIX}{kind}.run.id"
        assert self.fit.child(semconv.FIT_START).attributes[name] == self.fit.attributes[name]
        return str(self.fit.attributes[name])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trackers")
    loggers = ["csv", "tensorboard", "wandb", "mlflow", "failing", "hanging"]
    environment = ranked.recorded(
        folder,
        OCR_OTEL_RUN_ID="run",
        OCR_OTEL_TRACKERS="summaries,links,report",
        OCR_OTEL_JAEGER_URL="https://jaeger.example/ui/",
        OCR_OTEL_GRAFANA_URL="https://grafana.example",
    )
    output = folder / "output"
    training = begin(Program([str(SCRIPT), *loggers, f"--folder={folder}"], folder, output, environment))
    # MLflow alone takes longer to import than the training does.
    status = training.wait(deadline_seconds=280)
    return Trained(folder, status, output.read_text(encoding="utf-8"))


@pytest.mark.timeout(300)
def test_csv_has_the_numbers_of_each_epoch_and_the_links(trained: Trained) -> None:
    assert trained.status == 0, trained.output
    folder = trained.folder / "csv" / "version_0"
    assert trained.tracker_id("csv") == "version_0"
    rows = [row for row in csv.DictReader((folder / "metrics.csv").open()) if row[semconv.TRACKED_EPOCH]]
    assert [int(row["step"]) for row in rows] == LAST_STEPS
    trained.check([{name: float(value) for name, value in row.items() if value and name != "step"} for row in rows])
    texts = yaml.safe_load((folder / "hparams.yaml").read_text())
    trained.check_links(texts)
    assert texts[semconv.TRACKED_VERDICT] == trained.verdict()
    assert texts["rate"] == 0.1


def test_tensorboard_has_them_and_the_hyper_parameters_stay_the_users(trained: Trained) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    events = EventAccumulator(str(trained.folder / "tensorboard" / "version_0"))
    events.Reload()
    assert trained.tracker_id("tensorboard") == "version_0"
    numbers: list[dict[str, float]] = [{}, {}]
    for name in events.Tags()["scalars"]:
        if name in semconv.TRACKED:
            for event in events.Scalars(name):
                numbers[LAST_STEPS.index(event.step)][name] = event.value
    for number, each in enumerate(numbers):
        each["epoch"] = float(number)
    trained.check(numbers)
    suffix = "/text_summary"
    texts = {
        tag.removesuffix(suffix): events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
        for tag in events.Tags()["tensors"]
        if tag.endswith(suffix)
    }
    trained.check_links(texts)
    assert texts[semconv.TRACKED_VERDICT] == trained.verdict()
    plugin = HParamsPluginData.FromString(events.PluginTagToContent("hparams")["_hparams_/session_start_info"])
    assert {name: value.number_value for name, value in plugin.session_start_info.hparams.items()} == {"rate": 0.1}


def test_wandb_offline_has_them_and_the_report_as_an_artifact(trained: Trained) -> None:
    (file,) = trained.folder.glob("wandb/offline-run-*/run-*.wandb")
    config: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    history, artifacts, ids = [], [], []
    for record in records(file):
        match record.WhichOneof("record_type"):
            case "run":
                ids.append(record.run.run_id)
            case "config":
                config |= items(record.config.update)
            case "summary":
                summary |= items(record.summary.update)
            case "history":
                history.append(items(record.history.item))
            case "artifact":
                artifacts.append(record.artifact)
    assert trained.tracker_id("wandb") == ids[0]
    rows = [row for row in history if semconv.TRACKED_EPOCH in row]
    assert [row["trainer/global_step"] for row in rows] == LAST_STEPS
    trained.check([{name: row[name] for name in row if name == "epoch" or name in semconv.TRACKED} for row in rows])
    trained.check_links(config)
    assert config["rate"] == 0.1
    assert summary[semconv.TRACKED_VERDICT] == trained.verdict()
    (artifact,) = artifacts
    assert (artifact.name, artifact.type) == (f"ocr_otel-report-{ids[0]}", "report")
    assert [each.path for each in artifact.manifest.contents] == ["report.html"]


def test_mlflow_with_a_sqlite_store_has_them_and_the_report(trained: Trained) -> None:
    # Read without MLflow, whose import takes longer than the training.
    store = sqlite3.connect(trained.folder / "mlflow.db")
    # From a trace to its run in the tracker, and back.
    run_id = trained.tracker_id("mlflow")
    by_trace = "select run_uuid from tags where key = ? and value = ?"
    assert store.execute(by_trace, (semconv.TRACKED_TRACE_ID, trained.fit.trace_id)).fetchall() == [(run_id,)]
    tags = dict(store.execute("select key, value from tags where run_uuid = ?", (run_id,)))
    trained.check_links(tags)
    assert tags[semconv.TRACKED_VERDICT] == trained.verdict()
    assert store.execute("select key, value from params where run_uuid = ?", (run_id,)).fetchall() == [("rate", "0.1")]
    assert store.execute("select status from runs where run_uuid = ?", (run_id,)).fetchall() == [("FINISHED",)]
    numbers: list[dict[str, float]] = [{"epoch": 0.0}, {"epoch": 1.0}]
    for name, value, step in store.execute("select key, value, step from metrics where run_uuid = ?", (run_id,)):
        if name in semconv.TRACKED:
            numbers[LAST_STEPS.index(step)][name] = value
    trained.check(numbers)
    (report,) = trained.folder.glob(f"mlruns/*/{run_id}/artifacts/ocr_otel-report/report.html")
    page = html.unescape(report.read_text(encoding="utf-8"))
    assert page.startswith("<!doctype html>")
    assert trained.verdict().split("%")[0].split(";")[0] in page


def test_a_logger_that_fails_or_hangs_costs_a_bounded_time_and_is_said_once(trained: Trained) -> None:
    assert "trained 20" in trained.output
    assert trained.fit.attributes[semconv.OUTCOME] == "completed"
    assert trained.output.count("ocr_otel failed in tracker.failing") == 1
    assert "ValueError: this tracker is full" in trained.output
    assert trained.output.count("ocr_otel failed in tracker.hanging") == 1
    assert "HangingLogger did not return within 2 s and is told no more" in trained.output
    assert trained.output.count("asked to hang") == 1
    metrics = Metrics(trained.folder / "runs" / "run" / "metrics.jsonl")
    assert metrics.value(semconv.METRIC_ERRORS, cause="tracker.hanging") == 1
    assert metrics.value(semconv.METRIC_OVERHEAD, part="trackers") >= 2
    # What loggers take of the time between epochs is theirs, and of ours no part of an epoch's callbacks.
    slowest = {span.attributes.get(semconv.SLOWEST_CALLBACK) for span in trained.epochs}
    assert "HangingLogger.log_metrics" not in slowest


@pytest.mark.timeout(300)
def test_numbers_are_those_of_all_ranks(tmp_path: Path) -> None:
    run = ranked.run_ranks(tmp_path, "--csv", "--epochs=2", "--plant", "compute", "--delay=0.01")
    assert run.statuses == [0, 0], run.output
    assert "ocr_otel failed" not in run.output
    rows = list(csv.DictReader((tmp_path / "csv" / "version_0" / "metrics.csv").open()))
    numbers = [row for row in rows if row.get(semconv.TRACKED_EPOCH)]
    assert len(numbers) == 2
    for row, first, second in zip(numbers, run.epochs(0), run.epochs(1), strict=True):
        assert float(row[semconv.TRACKED_RANKS]) == 2

        def both(attribute: str, of: Callable[[list[float]], float], spans: tuple[Span, Span] = (first, second)) -> Any:
            return pytest.approx(of([float(span.attributes[attribute]) for span in spans]))

        assert float(row[semconv.TRACKED_THROUGHPUT]) == both(semconv.THROUGHPUT, sum)
        assert float(row[semconv.TRACKED_DATA_WAIT]) == both(semconv.DATA_WAIT_RATIO, lambda each: sum(each) / 2)
        assert float(row[semconv.TRACKED_BATCH_P95]) == both(semconv.BATCH_P95, max)
