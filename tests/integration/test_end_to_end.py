"""From a training to what its people see: over a real socket, into files and on through replay, into a verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.replay import replay
from ocr_otel.report.build import build
from ocr_otel.report.card import parts_of
from ocr_otel.runs import load
from tests.support.otlp import Metrics, Traces
from tests.support.otlp_server import OtlpGrpcServer, OtlpServer
from tests.support.scripts import run_python, train

DEMO = ["-m", "ocr_otel.demo.train", "--samples=480", "--seed=3"]


@pytest.mark.parametrize(("server", "protocol"), [(OtlpServer, "http/protobuf"), (OtlpGrpcServer, "grpc")])
def test_all_that_a_training_makes_arrives_at_a_receiver(tmp_path: Path, server: type, protocol: str) -> None:
    with server() as receiver:
        done = train(
            "plain",
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
            OTEL_EXPORTER_OTLP_INSECURE="true",
            OTEL_SERVICE_NAME="recogniser",
            OTEL_RESOURCE_ATTRIBUTES="team=ocr",
        )
        assert done.returncode == 0, done.stderr
        names = [span.name for span in receiver.spans]
        assert names.count(semconv.TRAIN_BATCH) == 20
        assert names.count(semconv.TRAIN_EPOCH) == 2
        assert names.count(semconv.FIT) == names.count(semconv.FIT_START) == 1
        assert len({span.span_id for span in receiver.spans}) == len(names)
        described = {metric.name for metric in receiver.metrics}
        assert {semconv.METRIC_BATCH_DURATION, semconv.METRIC_RUN_ACTIVE, semconv.METRIC_SAMPLES} <= described
        resource = str(receiver.taken)
        assert "recogniser" in resource
        assert "team" in resource
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("slowed", ["--slow-loader", "--heavy-checkpoint", "--slow-compute"])
def test_a_planted_bottleneck_is_named(tmp_path: Path, slowed: str) -> None:
    expected = {"--slow-loader": "data", "--heavy-checkpoint": "checkpoint", "--slow-compute": "compute"}[slowed]
    done = run_python(
        [*DEMO, "--epochs=1", slowed], tmp_path, OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="run", OMP_NUM_THREADS="1"
    )
    assert done.returncode == 0, done.stderr
    assert "ocr_otel failed" not in done.stderr
    data = build(load(tmp_path / "runs" / "run"))
    assert data.verdict is not None
    assert data.verdict.kind == expected, data.verdict
    assert "← the cause" in done.stderr
    fit = Traces(tmp_path / "runs" / "run" / "traces.jsonl").root(semconv.FIT)
    assert fit.attributes[semconv.BOTTLENECK_KIND] == expected


def test_the_demo_is_covered_replayed_and_bounded(tmp_path: Path) -> None:
    done = run_python([*DEMO, "--epochs=2"], tmp_path, OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="run")
    assert done.returncode == 0, done.stderr
    directory = tmp_path / "runs" / "run"
    data = build(load(directory))
    for epoch in data.epochs:
        # "other" included they are the whole; without it they must still be nearly all of it.
        assert sum(seconds for _, seconds in parts_of(epoch.budget)) == pytest.approx(epoch.budget.wall)
        assert epoch.budget.other <= 0.10 * epoch.budget.wall
    metrics = Metrics(directory / "metrics.jsonl")
    # Those of resources have a bound of their own.
    series = {name: len(points) for name, points in metrics.points.items() if name in semconv.METRICS}
    assert sum(series.values()) <= 120, series
    traces = Traces(directory / "traces.jsonl")
    with OtlpServer() as receiver:
        replay(directory, receiver.endpoint)
        assert {span.span_id.hex() for span in receiver.spans} == set(traces.by_id)
        assert len(receiver.spans) == len(traces.spans)


def test_nothing_private_is_sent(tmp_path: Path) -> None:
    done = train("exception", tmp_path, MY_SECRET_TOKEN="canary-in-the-environment")
    assert done.returncode == 1
    sent = (tmp_path / "runs" / "run" / "traces.jsonl").read_text() + (
        tmp_path / "runs" / "run" / "metrics.jsonl"
    ).read_text()
    assert json.loads(sent.splitlines()[0])
    for private in ("canary-in-the-environment", str(tmp_path), "--losses", 'training_script.py","--'):
        assert private not in sent
