"""Which batches of a run are compared: those that were kept by their index alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocr_otel import semconv
from ocr_otel.comparison.steps import Steps, steps
from ocr_otel.recording.sampling import planned, stride
from ocr_otel.runs import Batch, Entry, Epoch, RankRecord, Run, SpanRecord
from ocr_otel.semconv import Kept

LENGTH = 0.1
SLOW = 1.0


def span(name: str, start: int, seconds: float, **attributes: object) -> SpanRecord:
    return SpanRecord(name, "t", f"{start}", "", start, start + int(seconds * 1e9), dict(attributes))


def run_of(
    batches: int,
    budget: int = 200,
    slow: frozenset[int] = frozenset(),
    profiled: frozenset[int] = frozenset(),
    unknown: bool = False,
    epochs: int = 1,
    ended: bool = True,
    warmup: int = 0,
) -> Steps:
    """What is compared of a run in which batches are kept as the recorder keeps them; slow ones take 1 s."""
    every = stride(float("inf") if unknown else batches, budget)
    kept, rows, now = [], [], 1
    for epoch in range(epochs):
        began, taken = now, []
        for index in range(batches):
            seconds = SLOW if index in slow else LENGTH
            why = planned(index, every, budget, unknown)
            why = Kept.PROFILED if index in profiled else Kept.SLOW if index in slow else why
            if why is not None:
                named = {semconv.KEPT: str(why), semconv.EPOCH: epoch, semconv.BATCH_IDX: index}
                kept.append(Batch(span(semconv.TRAIN_BATCH, now, seconds, **named), 0))
            taken.append(seconds)
            now += int(seconds * 1e9)
        summary = {semconv.EPOCH: epoch, semconv.BATCHES: batches, semconv.BATCH_MEAN: float(np.mean(taken))}
        rows.append(Epoch(span(semconv.TRAIN_EPOCH, began, (now - began) / 1e9, **summary), [], []))
    entry = Entry(semconv.FIT, 0, None, {}, rows if ended else [])
    run = Run("run", "", {}, 1, [entry], kept, [], [], [], [], 0, 1, by_rank=[RankRecord(0, {}, [])])
    return steps(run, entry, warmup)


def test_batches_that_are_kept_for_being_slow_do_not_make_a_run_look_slower() -> None:
    slow = frozenset(range(5, 2000, 20))  # One in 20, none of them one that its index keeps.
    found = run_of(2000, slow=slow)
    assert found.every == 11
    assert found.chosen == len([index for index in slow if index % 11])
    true = LENGTH + (SLOW - LENGTH) / 20
    assert found.seconds.mean() == pytest.approx(true, rel=0.15)
    assert found.mean == pytest.approx(true, rel=0.01)


def test_slow_batch_that_its_index_keeps_is_compared() -> None:
    found = run_of(2000, slow=frozenset({22, 23, 440}))
    assert sorted(found.seconds)[-2:] == [SLOW, SLOW]
    assert sum(found.seconds == SLOW) == 2


def test_all_batches_of_a_short_epoch_are_compared_but_the_first() -> None:
    found = run_of(50, slow=frozenset({7}), epochs=2)
    assert (len(found), found.every, found.warmup, found.chosen) == (94, 1, 6, 0)
    assert len(run_of(50, epochs=2, warmup=20)) == 30 + 47


def test_epoch_of_unknown_length_gives_an_even_sample() -> None:
    found = run_of(3000, unknown=True)
    assert found.every == 32
    assert len(found) == len(range(32, 3000, 32))


def test_profiled_batches_are_left_out_also_of_the_mean_of_all() -> None:
    slowed = frozenset(range(30, 34))
    found = run_of(150, slow=slowed, profiled=slowed)
    assert found.chosen == 4
    assert set(found.seconds) == {LENGTH}
    assert found.mean == pytest.approx(LENGTH)


def test_run_that_keeps_slow_batches_only_has_nothing_to_compare() -> None:
    found = run_of(500, budget=0, slow=frozenset(range(50, 500, 25)))
    assert len(found) == 0
    assert found.chosen == 18


def test_epoch_that_goes_on_is_compared_without_a_mean_of_all() -> None:
    found = run_of(150, ended=False)
    assert found.mean is None
    assert len(found) == 147


def test_two_runs_are_read_from_a_directory(tmp_path: Path) -> None:
    from ocr_otel.report.build import chosen_entry
    from ocr_otel.runs import load
    from tests.support import synthetic_run
    from tests.support.synthetic_run import Shape

    run = load(synthetic_run.make(tmp_path / "run", Shape(epochs=2, batches=100, kept=100)))
    found = steps(run, chosen_entry(run))
    assert len(found) == 80 + 97
    assert found.batches == 200
    assert sum(found.phases.values()) == pytest.approx(found.seconds, rel=1e-6)
