"""Unchanged scripts, run as a user runs them: the same losses to the last bit, and the agreed tree of spans."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocr_otel import semconv
from tests.support.otlp import Metrics, Span, Traces

SCRIPT = Path(__file__).parents[1] / "support" / "training_script.py"
LONGEST_RUN = 150

MATRIX = {
    "no-workers": ["plain"],
    "one-worker": ["plain", "--workers=1"],
    "two-forked-workers": ["plain", "--workers=2"],
    "two-spawned-workers": ["spawned", "--workers=2", "--start-method=spawn"],
    "pytorch-lightning": ["plain", "--package=pytorch_lightning", "--workers=2"],
    "persistent": ["persistent", "--workers=2"],
    "custom": ["custom", "--workers=2"],
    "whole-batches": ["whole-batches", "--workers=1"],
    "iterable": ["iterable", "--workers=2"],
    "iterable-no-workers": ["iterable"],
    "accumulate": ["accumulate"],
    "manual": ["manual"],
    "two-optimizers": ["two-optimizers"],
    "lbfgs": ["lbfgs"],
    "several-validations": ["several-validations"],
    "early-stop": ["early-stop"],
    "limits": ["limits"],
    "resume": ["resume"],
    "resume-inside": ["resume-inside"],
    "accumulate-validate": ["accumulate-validate", "--workers=1"],
    "several-loaders": ["several-loaders", "--workers=1"],
    "none-batches": ["none-batches", "--workers=2"],
    "reload": ["reload", "--workers=2"],
    "late-model": ["late-model"],
    "entries": ["entries"],
    "simple-profiler": ["simple-profiler"],
    "dataloader-iter": ["dataloader-iter", "--workers=1"],
    "amp": ["amp"],
    "exception": ["exception", "--workers=1"],
    "interrupt": ["interrupt"],
}


@dataclass
class Run:
    """What one script left behind."""

    status: int
    output: str
    losses: list[str]
    directory: Path

    @property
    def traces(self) -> Traces:
        return Traces(self.directory / "traces.jsonl")

    @property
    def metrics(self) -> Metrics:
        return Metrics(self.directory / "metrics.jsonl")


def run_script(arguments: list[str], folder: Path, instrumented: bool) -> Run:
    folder.mkdir(parents=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_"))}
    if instrumented:
        environment |= {
            "OCR_OTEL_ENABLED": "true",
            "OCR_OTEL_RUNS_DIR": str(folder / "runs"),
            "OCR_OTEL_RUN_ID": "run",
        }
    done = subprocess.run(
        [sys.executable, SCRIPT, *arguments, f"--root={folder / 'root'}", f"--losses={folder / 'losses.json'}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )
    losses = json.loads((folder / "losses.json").read_text()) if (folder / "losses.json").exists() else []
    return Run(done.returncode, done.stdout + done.stderr, losses, folder / "runs" / "run")


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """Each script with and without instrumentation, two at a time: a process spends most of its life importing."""
    base = tmp_path_factory.mktemp("scripts")
    futures: dict[tuple[str, bool], Future[Run]] = {}
    with ThreadPoolExecutor(2) as pool:

        def begin(name: str, instrumented: bool) -> Future[Run]:
            if (name, instrumented) not in futures:
                folder = base / name / str(instrumented)
                futures[name, instrumented] = pool.submit(run_script, MATRIX[name], folder, instrumented)
            return futures[name, instrumented]

        for name in MATRIX:
            if any(name in item.name for item in request.session.items):
                begin(name, False)
                begin(name, True)
        yield lambda name, instrumented=True: begin(name, instrumented).result()
        pool.shutdown(cancel_futures=True)


every = pytest.mark.parametrize("name", MATRIX)


@every
@pytest.mark.timeout(900)
def test_losses_are_bit_identical_with_and_without(runs, name: str) -> None:
    without, with_us = runs(name, False), runs(name)
    assert without.losses, without.output
    assert with_us.losses == without.losses
    assert with_us.status == without.status


@every
@pytest.mark.timeout(900)
def test_nothing_of_ours_failed(runs, name: str) -> None:
    run = runs(name)
    assert "ocr_otel failed" not in run.output
    assert "ocr_otel: telemetry" not in run.output
    metrics = run.metrics
    assert metrics.value(semconv.METRIC_ERRORS, cause="none") == 0
    assert metrics.value(semconv.METRIC_RUN_ACTIVE) == 0


@every
@pytest.mark.timeout(900)
def test_spans_form_the_agreed_tree(runs, name: str) -> None:
    traces = runs(name).traces
    allowed_roots = {semconv.FIT, semconv.VALIDATE, semconv.TEST, semconv.PREDICT, *batch_names()}
    for span in traces.spans:
        if not span.parent_id:
            assert span.name in allowed_roots
        check_nesting(span)
    for root in [root for entry in (semconv.FIT, "validate", "test", "predict") for root in traces.roots(entry)]:
        start = root.child(root.name + semconv.START_SUFFIX)
        assert start.seconds == 0
        assert any(key.startswith(semconv.CONFIG_PREFIX) for key in start.attributes)
    for batch in (span for span in traces.spans if span.name in batch_names()):
        loop = traces.by_id[batch.links[0]]
        assert loop.start <= batch.start <= batch.end <= loop.end, f"{batch.name} lies outside {loop.name}"
        if name == "dataloader-iter" and batch.name == semconv.TRAIN_BATCH:
            # The module fetches and moves its batches itself.
            assert {child.name for child in batch.child(semconv.FORWARD).children} >= {semconv.FETCH}
        else:
            assert {child.name for child in batch.children} >= {semconv.FETCH, semconv.TRANSFER} or batch.failed
    assert not any(span.name not in semconv.SPANS for span in traces.spans)
    for span in traces.spans:
        for attribute in span.attributes:
            assert attribute in semconv.ATTRIBUTES or attribute.startswith(
                (semconv.LOGGED_PREFIX, semconv.CONFIG_PREFIX)
            ), attribute


def batch_names() -> set[str]:
    return set(semconv.BATCH_SPAN_BY_STAGE.values())


def check_nesting(span: Span) -> None:
    # A worker prefetches: its span may begin before the batch that it explains.
    inside = [child for child in span.children if child.name != semconv.WORKER]
    for child in inside:
        assert span.start <= child.start <= child.end <= span.end, f"{child.name} leaves {span.name}"
    ordered = sorted(inside, key=lambda child: (child.start, child.end))
    for before, after in itertools.pairwise(ordered):
        assert before.end <= after.start, f"{before.name} and {after.name} overlap in {span.name}"
    assert sum(child.seconds for child in inside) <= span.seconds + 1e-9


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "epochs", "batches", "validations"),
    [
        ("no-workers", 2, 10, 1),
        ("two-spawned-workers", 1, 10, 0),
        ("pytorch-lightning", 2, 10, 1),
        ("custom", 2, 10, 1),
        ("whole-batches", 2, 10, 1),
        ("iterable", 2, 10, 1),
        ("accumulate", 2, 10, 1),
        ("manual", 2, 10, 1),
        ("several-validations", 2, 10, 2),
        ("early-stop", 2, 10, 1),
        ("dataloader-iter", 2, 10, 1),
        ("amp", 2, 10, 0),
        ("accumulate-validate", 2, 10, 2),
        ("late-model", 2, 10, 1),
    ],
)
def test_epochs_batches_and_validations_are_counted(runs, name, epochs, batches, validations) -> None:
    run = runs(name)
    fit = run.traces.root(semconv.FIT)
    found = fit.all(semconv.TRAIN_EPOCH)
    assert [epoch.attributes[semconv.EPOCH] for epoch in found] == list(range(epochs))
    assert [epoch.attributes[semconv.BATCHES] for epoch in found] == [batches] * epochs
    assert [len(epoch.all(semconv.VALIDATION)) for epoch in found] == [validations] * epochs
    assert [epoch.attributes[semconv.SAMPLES] for epoch in found] == [80] * epochs
    assert fit.attributes[semconv.OUTCOME] == "completed"
    assert run.metrics.value(semconv.METRIC_BATCHES, training_stage="train") == epochs * batches
    assert run.metrics.value(semconv.METRIC_SAMPLES, training_stage="train") == epochs * 80
    assert run.metrics.histogram(semconv.METRIC_BATCH_DURATION, training_stage="train").count == epochs * batches


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("name", "workers"),
    [
        ("no-workers", 0), ("one-worker", 1), ("two-forked-workers", 2), ("two-spawned-workers", 2),
        ("pytorch-lightning", 2), ("persistent", 2), ("custom", 2), ("whole-batches", 1), ("iterable", 2),
        ("reload", 2),
    ],
)  # fmt: skip
def test_each_batch_carries_what_its_own_worker_did(runs, name: str, workers: int) -> None:
    traces = runs(name).traces
    main = traces.resource["process.pid"]
    batches = traces.roots(semconv.TRAIN_BATCH)
    assert batches
    for batch in batches:
        worker = batch.child(semconv.WORKER)
        expected = batch.attributes[semconv.BATCH_IDX] % workers if workers else -1
        assert worker.attributes[semconv.WORKER_ID] == expected
        assert (worker.attributes[semconv.WORKER_PID] == main) is (workers == 0)
        assert worker.end <= batch.child(semconv.FETCH).end or name.startswith("iterable")
        assert {child.name for child in worker.children} == {semconv.WORKER_DATASET, semconv.WORKER_COLLATE}
        assert sum(child.seconds for child in worker.children) <= worker.seconds + 1e-9


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["no-workers", "two-forked-workers", "two-spawned-workers"])
def test_cache_hits_travel_home_from_the_workers(runs, name: str) -> None:
    metrics = runs(name).metrics
    epochs = metrics.value(semconv.METRIC_EPOCHS, training_stage="train")
    assert metrics.value(semconv.METRIC_CACHE_HITS, training_stage="train") == 40 * epochs
    assert metrics.value(semconv.METRIC_CACHE_MISSES, training_stage="train") == 40 * epochs


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", MATRIX)
def test_the_phases_of_an_epoch_add_up_to_its_batches(runs, name: str) -> None:
    traces = runs(name).traces
    for epoch in (span for span in traces.spans if span.name == semconv.TRAIN_EPOCH):
        phases = sum(epoch.attributes.get(semconv.phase_seconds(phase), 0.0) for phase in semconv.Phase)
        batches = epoch.attributes[semconv.BATCH_MEAN] * epoch.attributes[semconv.BATCHES]
        # A checkpoint that is saved inside a batch is none of its phases.
        saved = sum(
            save.seconds
            for save in epoch.all(semconv.CHECKPOINT_SAVE)
            for batch in traces.roots(semconv.TRAIN_BATCH)
            if batch.start <= save.start <= save.end <= batch.end
        )
        assert phases + saved == pytest.approx(batches, rel=0.03)


@pytest.mark.timeout(900)
def test_accumulated_gradients_step_every_fourth_batch(runs) -> None:
    batches = runs("accumulate").traces.roots(semconv.TRAIN_BATCH)
    stepping = [bool(batch.all(semconv.OPTIMIZER_STEP)) for batch in batches[:10]]
    assert stepping == [False, False, False, True, False, False, False, True, False, True]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "optimizers"), [("manual", 1), ("two-optimizers", 2)])
def test_manual_optimization_shows_each_backward_and_step_inside_forward(runs, name: str, optimizers: int) -> None:
    for batch in runs(name).traces.roots(semconv.TRAIN_BATCH):
        forward = batch.child(semconv.FORWARD)
        assert len(forward.all(semconv.BACKWARD)) == optimizers
        assert len(forward.all(semconv.OPTIMIZER_STEP)) == optimizers
        assert batch.attributes[semconv.phase_seconds(semconv.Phase.BACKWARD)] > 0


@pytest.mark.timeout(900)
def test_a_module_that_takes_the_iterator_itself_shows_its_fetch_inside_forward(runs) -> None:
    batches = runs("dataloader-iter").traces.roots(semconv.TRAIN_BATCH)
    assert [batch.attributes[semconv.BATCH_IDX] for batch in batches] == 2 * list(range(10))
    for batch in batches:
        assert batch.child(semconv.FORWARD).child(semconv.FETCH).seconds > 0


@pytest.mark.timeout(900)
def test_steps_that_a_gradient_scaler_skips_are_counted(runs) -> None:
    run = runs("amp")
    epochs = run.traces.root(semconv.FIT).all(semconv.TRAIN_EPOCH)
    assert [epoch.attributes[semconv.AMP_SKIPPED] for epoch in epochs] == [2, 2]
    assert run.metrics.value(semconv.METRIC_AMP_SKIPPED) == 4
    assert "4 steps skipped by the gradient scaler" in run.output


@pytest.mark.timeout(900)
def test_an_exception_fails_the_run_and_keeps_its_batch(runs) -> None:
    run = runs("exception")
    assert run.status == 1
    fit = run.traces.root(semconv.FIT)
    assert fit.failed
    assert fit.attributes[semconv.OUTCOME] == "failed"
    assert fit.events["exception"]["exception.message"] == "planted failure"
    assert str(SCRIPT.parent) not in fit.events["exception"]["exception.stacktrace"]
    assert SCRIPT.name in fit.events["exception"]["exception.stacktrace"]
    failed = [batch for batch in run.traces.roots(semconv.TRAIN_BATCH) if batch.attributes[semconv.KEPT] == "error"]
    assert [batch.attributes[semconv.BATCH_IDX] for batch in failed] == [7]
    assert failed[0].failed
    assert fit.child(semconv.TRAIN_EPOCH).failed
    assert run.metrics.value(semconv.METRIC_RUNS, outcome="failed") == 1
    assert run.metrics.value(semconv.METRIC_RUNS, outcome="completed") == 0


@pytest.mark.timeout(900)
def test_ctrl_c_is_an_interrupted_run(runs) -> None:
    run = runs("interrupt")
    fit = run.traces.root(semconv.FIT)
    assert fit.attributes[semconv.OUTCOME] == "interrupted"
    assert run.metrics.value(semconv.METRIC_RUNS, outcome="interrupted") == 1


@pytest.mark.timeout(900)
def test_repeated_entries_of_one_trainer_are_traces_of_one_run(runs) -> None:
    traces = runs("entries").traces
    assert len(traces.roots(semconv.FIT)) == 1
    assert len(traces.roots(semconv.VALIDATE)) == 1
    assert [test.attributes[semconv.BATCHES] for test in traces.roots(semconv.TEST)] == [3, 3]
    assert traces.root(semconv.PREDICT).attributes[semconv.BATCHES] == 4
    assert len(traces.roots(semconv.TEST_BATCH)) == 6
    assert len(traces.roots(semconv.PREDICT_BATCH)) == 4


@pytest.mark.timeout(900)
def test_a_resumed_run_shows_the_restored_checkpoint(runs) -> None:
    first, second = runs("resume").traces.roots(semconv.FIT)
    assert not first.all(semconv.CHECKPOINT_LOAD)
    assert second.child(semconv.CHECKPOINT_LOAD).attributes[semconv.CHECKPOINT_FILE].endswith(".ckpt")
    assert [epoch.attributes[semconv.EPOCH] for epoch in second.all(semconv.TRAIN_EPOCH)] == [1, 2]
    saved = [save for epoch in first.all(semconv.TRAIN_EPOCH) for save in epoch.all(semconv.CHECKPOINT_SAVE)]
    assert len(saved) == 1
    assert saved[0].attributes[semconv.CHECKPOINT_SIZE_ATTR] > 1000


@pytest.mark.timeout(900)
def test_the_rest_of_an_epoch_that_a_checkpoint_was_saved_in_is_recorded(runs) -> None:
    # Lightning calls no hook at the beginning of that rest.
    run = runs("resume-inside")
    _, second = run.traces.roots(semconv.FIT)
    epochs = second.all(semconv.TRAIN_EPOCH)
    assert [epoch.attributes[semconv.EPOCH] for epoch in epochs] == [0, 1]
    assert [epoch.attributes[semconv.BATCHES] for epoch in epochs] == [6, 10]
    assert run.metrics.value(semconv.METRIC_BATCHES, training_stage="train") == 10 + 6 + 10
    rest = [batch for batch in run.traces.roots(semconv.TRAIN_BATCH) if batch.links[0] == epochs[0].span_id]
    assert [batch.attributes[semconv.BATCH_IDX] for batch in rest] == list(range(4, 10))


@pytest.mark.timeout(900)
def test_samples_of_several_dataloaders_are_counted_together(runs) -> None:
    traces = runs("several-loaders").traces
    epochs = traces.root(semconv.FIT).all(semconv.TRAIN_EPOCH)
    assert [epoch.attributes[semconv.BATCHES] for epoch in epochs] == [10, 10]
    assert [epoch.attributes[semconv.SAMPLES] for epoch in epochs] == [160, 160]
    for batch in traces.roots(semconv.TRAIN_BATCH):
        assert batch.attributes[semconv.SAMPLES] == 16
        assert len(batch.all(semconv.WORKER)) == 2


@pytest.mark.timeout(900)
def test_what_a_collate_function_gave_up_is_no_batch(runs) -> None:
    traces = runs("none-batches").traces
    epochs = traces.root(semconv.FIT).all(semconv.TRAIN_EPOCH)
    assert [epoch.attributes[semconv.BATCHES] for epoch in epochs] == [9, 9]
    assert [epoch.attributes[semconv.SAMPLES] for epoch in epochs] == [72, 72]
    assert 3 not in {batch.attributes[semconv.BATCH_IDX] for batch in traces.roots(semconv.TRAIN_BATCH)}


@pytest.mark.timeout(900)
def test_the_size_of_a_model_that_makes_its_layers_late_is_known(runs) -> None:
    fit = runs("late-model").traces.root(semconv.FIT)
    assert fit.attributes[semconv.CONFIG_PREFIX + "parameters"] == 18
    assert semconv.CONFIG_PREFIX + "parameters" in runs("no-workers").traces.root(semconv.FIT).attributes


@pytest.mark.timeout(900)
def test_validation_loaders_are_told_apart(runs) -> None:
    batches = runs("several-validations").traces.roots(semconv.VALIDATION_BATCH)
    assert {batch.attributes[semconv.DATALOADER_IDX] for batch in batches} == {0, 1}
    only_one = runs("no-workers").traces.roots(semconv.VALIDATION_BATCH)
    assert not any(semconv.DATALOADER_IDX in batch.attributes for batch in only_one)


@pytest.mark.timeout(900)
def test_logged_values_are_on_the_epoch_and_in_the_metrics(runs) -> None:
    run = runs("no-workers")
    last = run.traces.root(semconv.FIT).all(semconv.TRAIN_EPOCH)[-1]
    assert last.attributes[semconv.LOGGED_PREFIX + "train_loss"] == pytest.approx(
        float.fromhex(run.losses[-3]), rel=1e-6
    )
    metric = run.metrics.points[semconv.METRIC_LOGGED]
    assert {dict(labels)[semconv.METRIC_NAME] for labels in metric} == {"train_loss", "val_loss"}


@pytest.mark.timeout(900)
def test_exemplars_lead_to_kept_batches(runs) -> None:
    run = runs("no-workers")
    kept = {span.trace_id: span for span in run.traces.spans if span.name in batch_names() and not span.parent_id}
    stages = set()
    for line in (run.directory / "metrics.jsonl").read_text().splitlines():
        for resource in json.loads(line)["resourceMetrics"]:
            for scope in resource["scopeMetrics"]:
                for metric in scope["metrics"]:
                    if metric["name"] == semconv.METRIC_BATCH_DURATION:
                        for point in metric["histogram"]["dataPoints"]:
                            (stage,) = (pair["value"]["stringValue"] for pair in point["attributes"])
                            for exemplar in point.get("exemplars", []):
                                batch = kept[exemplar["traceId"]]
                                assert batch.span_id == exemplar["spanId"]
                                assert batch.attributes[semconv.STAGE] == stage
                                assert batch.seconds == pytest.approx(exemplar["asDouble"])
                                stages.add(stage)
    assert stages >= {"train", "validate"}
