"""Switching on and off, and getting along with what the program does itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel import semconv
from tests.support.otlp import Metrics, Traces
from tests.support.scripts import FOLDER, run_python, train

OFF = """
import sys, time
import lightning.pytorch as pl
before = set(sys.modules)
trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
ours = sorted(name for name in set(sys.modules) - before if name.startswith(("ocr_otel", "opentelemetry", "pydantic")))
from importlib.metadata import entry_points
factory = next(iter(entry_points(group="lightning.pytorch.callbacks_factory", name="ocr_otel"))).load()
began = time.perf_counter()
for _ in range(1000):
    factory()
print(ours, [type(callback).__name__ for callback in trainer.callbacks], (time.perf_counter() - began) / 1000)
"""

TWICE = """
import sys, torch, lightning.pytorch as pl
from lightning.pytorch.demos.boring_classes import BoringModel
from ocr_otel import OTelCallback
trainer = pl.Trainer(accelerator="cpu", max_epochs=1, limit_train_batches=8, limit_val_batches=2, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, callbacks=[OTelCallback(batch_size=lambda batch: 77)])
trainer.fit(BoringModel())
print(sum(isinstance(callback, OTelCallback) for callback in trainer.callbacks))
"""

FAKED_CLOCK = """
import sys, threading, time
import lightning.pytorch as pl
from lightning.pytorch.demos.boring_classes import BoringModel

def fit():
    trainer = pl.Trainer(accelerator="cpu", max_epochs=1, limit_train_batches=8, limit_val_batches=2, logger=False,
        enable_checkpointing=False, enable_progress_bar=False)
    trainer.fit(BoringModel())

def faked():
    asking.add(sys._getframe(1).f_globals["__name__"])
    return real()

fit()
asking, real, before = set(), time.monotonic, set(threading.enumerate())
time.monotonic = faked
fit()
ours = sorted(name for name in asking if name.startswith(("ocr_otel", "opentelemetry")))
left = sorted(thread.name for thread in set(threading.enumerate()) - before)
print(ours, left)
"""

NO_HOOK_TELLS = """
import contextlib
import lightning.pytorch as pl
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.tuner import Tuner

class Fails(BoringModel):
    lr = 0.1

    def training_step(self, batch, batch_idx):
        if batch_idx == 3:
            raise RuntimeError("planted")
        return super().training_step(batch, batch_idx)

def trainer():
    return pl.Trainer(accelerator="cpu", max_epochs=1, limit_train_batches=8, limit_val_batches=0, logger=False,
        enable_checkpointing=False, enable_progress_bar=False)

# Untrained and not seeded, its loss may be such that the search would end before the exception.
with contextlib.suppress(RuntimeError):
    Tuner(trainer()).lr_find(Fails(), early_stop_threshold=None)
trainer().fit(BoringModel())
Tuner(trainer()).lr_find(Fails(), early_stop_threshold=None)
"""


def test_switched_off_nothing_of_ours_is_loaded_but_the_switch(tmp_path: Path) -> None:
    done = run_python(["-c", OFF], tmp_path)
    assert done.returncode == 0, done.stderr
    modules, rest = done.stdout.splitlines()[-1].split("] [")
    assert modules == "['ocr_otel', 'ocr_otel.activation'"
    callbacks, seconds = rest.split("] ")
    assert "OTelCallback" not in callbacks
    assert float(seconds) < 0.001
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("enabled", "batches"), [({}, 8), ({"OCR_OTEL_ENABLED": "true"}, 8)])
def test_by_hand_works_alone_and_counts_once_with_the_variable(
    tmp_path: Path, enabled: dict[str, str], batches: int
) -> None:
    done = run_python(["-c", TWICE], tmp_path, OCR_OTEL_RUN_ID="run", **enabled)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ("2" if enabled else "1")
    fit = Traces(tmp_path / "runs" / "run" / "traces.jsonl").root(semconv.FIT)
    assert fit.attributes[semconv.BATCHES] == batches
    assert fit.attributes[semconv.SAMPLES] == 77 * batches


def test_a_clock_that_the_program_fakes_is_not_asked_by_us_and_no_thread_is_left(tmp_path: Path) -> None:
    # As the tests of a program do: the fake counts who asks, or the test fails for a thread that is new.
    done = run_python(["-c", FAKED_CLOCK], tmp_path, OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[] []"
    assert len(Traces(tmp_path / "runs" / "run" / "traces.jsonl").roots(semconv.FIT)) == 2


def test_an_entry_of_which_no_hook_tells_that_it_failed_ends_with_the_next_one_or_the_process(tmp_path: Path) -> None:
    done = run_python(["-c", NO_HOOK_TELLS], tmp_path, OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="run")
    assert done.returncode == 1
    assert "RuntimeError: planted" in done.stderr
    fits = Traces(tmp_path / "runs" / "run" / "traces.jsonl").roots(semconv.FIT)
    assert [fit.attributes[semconv.OUTCOME] for fit in fits] == ["failed", "completed", "failed"]
    assert [fit.failed for fit in fits] == [True, False, True]


def test_by_hand_is_silenced_by_the_variable(tmp_path: Path) -> None:
    done = run_python(["-c", TWICE], tmp_path, OCR_OTEL_ENABLED="false")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("OCR_OTEL_BATCH_SPANS", "lots", "OCR_OTEL_BATCH_SPANS='lots' is not allowed"),
        ("OCR_OTEL_RUNDIR", "x", "did you mean OCR_OTEL_RUNS_DIR?"),
        ("OTEL_TRACES_EXPORTER", "jaegr", "OTEL_TRACES_EXPORTER names 'jaegr', which is not installed"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_clear_error(tmp_path: Path, name: str, value: str, says: str) -> None:
    done = train("plain", tmp_path, **{name: value})
    assert done.returncode == 1
    assert says in done.stderr.splitlines()[-1]


def test_a_disabled_sdk_disables_the_recording(tmp_path: Path) -> None:
    done = train("plain", tmp_path, OTEL_SDK_DISABLED="true")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "runs").exists()


def test_the_applications_spans_become_children_of_kept_batches_only(tmp_path: Path) -> None:
    done = run_python(
        [FOLDER / "application_script.py", "api", tmp_path / "out.json"],
        tmp_path, OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="run", OCR_OTEL_BATCH_SPANS="10",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    traces = Traces(tmp_path / "runs" / "run" / "traces.jsonl")
    kept = traces.roots(semconv.TRAIN_BATCH)
    regular = [batch for batch in kept if batch.attributes[semconv.KEPT] in ("first", "regular")]
    # Slow ones, of which a busy machine makes some, are kept beside those that are chosen.
    assert 5 <= len(regular) <= 11
    for batch in regular:
        assert batch.child("augment").attributes["index"] == batch.attributes[semconv.BATCH_IDX]
    made = [span for span in traces.spans if span.name == "augment"]
    # A chosen one that was slow too is kept as a slow one.
    assert {span.parent_id for span in made} <= {batch.span_id for batch in kept}
    assert len(regular) <= len(made) <= 11


def test_the_applications_providers_are_used_and_left_running(tmp_path: Path) -> None:
    done = run_python(
        [FOLDER / "application_script.py", "own", tmp_path / "out.json"], tmp_path, OCR_OTEL_ENABLED="true"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out.json").read_text())
    assert {"fit", "train_epoch", "train_batch", "augment"} <= {name for name, _, _ in found["spans"]}
    by_id = {span_id: name for name, span_id, _ in found["spans"]}
    assert all(by_id[parent] == "train_batch" for name, _, parent in found["spans"] if name == "augment")
    assert found["batches"] == [40]
    assert semconv.METRIC_RUN_ACTIVE in found["metrics"]
    assert found["alive"]
    assert not (tmp_path / "runs").exists()


def test_fabric_loops_have_epochs_and_batches_where_they_call_the_hooks(tmp_path: Path) -> None:
    done = run_python([FOLDER / "fabric_script.py"], tmp_path, OCR_OTEL_ENABLED="true", OCR_OTEL_RUN_ID="run")
    assert done.returncode == 0, done.stderr
    assert "ocr_otel failed" not in done.stderr
    folder = tmp_path / "runs" / "run"
    traces = Traces(folder / "traces.jsonl")
    epochs = traces.root(semconv.FIT).all(semconv.TRAIN_EPOCH)
    assert [epoch.attributes[semconv.BATCHES] for epoch in epochs] == [10, 10]
    assert [epoch.attributes[semconv.SAMPLES] for epoch in epochs] == [40, 40]
    assert all(batch.child(semconv.FORWARD).seconds > 0 for batch in traces.roots(semconv.TRAIN_BATCH))
    assert Metrics(folder / "metrics.jsonl").value(semconv.METRIC_RUN_ACTIVE) == 0
