"""Where the wall time went always adds up, whatever overlaps."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.callbacks.binding import budget_of
from ocr_otel.diagnosis import TimeBudget
from ocr_otel.report.budgets import of_epoch
from ocr_otel.report.build import build
from ocr_otel.report.card import parts_of
from ocr_otel.runs import load
from ocr_otel.semconv import Phase
from tests.support import run_directory as make
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape


def given(function: Callable[..., TimeBudget]) -> set[str | None]:
    tree = ast.walk(ast.parse(inspect.getsource(function)))
    (call,) = (node for node in tree if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "TimeBudget")
    return {keyword.arg for keyword in call.keywords}


def test_a_field_is_known_while_it_trains_and_from_the_spans() -> None:
    names = {field.name for field in fields(TimeBudget)}
    assert names - given(budget_of) == set(), "set it in callbacks/binding.py"
    # Of an epoch it is one.
    assert names - given(of_epoch) == {"epochs"}, "set it in report/budgets.py"


@pytest.mark.parametrize("outcome", ["completed", "failed", ""])
def test_the_parts_add_up_to_the_wall_time(tmp_path: Path, outcome: str) -> None:
    data = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=3, outcome=outcome))))
    for budget in (data.budget, *(epoch.budget for epoch in data.epochs)):
        assert sum(seconds for _, seconds in parts_of(budget)) == pytest.approx(budget.wall, rel=1e-6)


def test_a_checkpoint_inside_a_validation_is_counted_once(tmp_path: Path) -> None:
    (epoch,) = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=1)))).epochs
    assert epoch.budget.validation == pytest.approx(1.5)
    assert epoch.budget.checkpoint == pytest.approx(0.75)
    assert epoch.budget.other == pytest.approx(0.1, abs=1e-3)


def test_a_checkpoint_after_the_last_epoch_is_a_checkpoint(tmp_path: Path) -> None:
    data = build(load(synthetic_run.make(tmp_path / "run", Shape(epochs=2))))
    assert data.budget.checkpoint == pytest.approx(2 * 0.75 + 0.3)
    assert sum(lane.name == "checkpoints" for lane in data.lanes) == 5


def test_a_checkpoint_that_a_callback_writes_after_a_batch_is_no_callback_time(tmp_path: Path) -> None:
    phases = {Phase.FORWARD: 5.0, Phase.CALLBACKS: 4.0}
    attributes = {semconv.EPOCH: 0, semconv.BATCHES: 10} | {semconv.phase_seconds(p): s for p, s in phases.items()}
    epoch = make.span(semconv.TRAIN_EPOCH, 5, 1, 0.0, 10.0, attributes=attributes)
    saved = make.span(semconv.CHECKPOINT_SAVE, 6, 5, 6.0, 3.0)
    data = build(load(make.write(tmp_path / "made", make.line([make.start_span(), epoch, saved, make.fit(10.0)]))))
    assert dict(parts_of(data.epochs[0].budget)) == pytest.approx({"forward": 5, "callbacks": 2, "checkpoint": 3})


def test_parts_that_are_more_than_the_whole_are_scaled(tmp_path: Path) -> None:
    attributes = {semconv.EPOCH: 0, semconv.BATCHES: 10, semconv.phase_seconds(Phase.FORWARD): 40.0}
    epoch = make.span(semconv.TRAIN_EPOCH, 5, 1, 0.0, 10.0, attributes=attributes)
    data = build(load(make.write(tmp_path / "made", make.line([make.start_span(), epoch, make.fit(10.0)]))))
    assert dict(parts_of(data.epochs[0].budget)) == pytest.approx({"forward": 10})


def test_the_epoch_that_goes_on_is_known_from_the_counters(tmp_path: Path) -> None:
    directory = synthetic_run.make(tmp_path / "run", Shape(epochs=2, outcome=""))
    lines = (directory / "traces.jsonl").read_text().splitlines(keepends=True)
    # The second epoch's span never came; its metrics were exported.
    kept = [line for line in lines if '"epoch-1.ckpt"' not in line]
    (directory / "traces.jsonl").write_text("".join(kept))
    data = build(load(directory))
    assert len(data.epochs) <= 1
    assert data.batches == 600
    assert sum(seconds for _, seconds in parts_of(data.budget)) == pytest.approx(data.budget.wall)
