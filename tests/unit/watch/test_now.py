"""Where a run is, by what it wrote and what its process says."""

from __future__ import annotations

import pytest

from ocr_otel import semconv
from ocr_otel.runs import Entry, Epoch, Run, SpanRecord, load
from ocr_otel.watch.now import Heard, State, now, phases_now, planned
from tests.support import synthetic_run
from tests.support.synthetic_run import Shape

QUIET = Heard(None, 0.0)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two epochs of a run that has not ended."""
    return load(synthetic_run.make(tmp_path_factory.mktemp("runs") / "running", Shape(epochs=2, outcome="")))


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that completed."""
    return load(synthetic_run.make(tmp_path_factory.mktemp("runs") / "ended", Shape(epochs=2)))


def entry_of(epochs: int, batches: int = 100, **configuration: int) -> Entry:
    """A `fit` with so many ended epochs of 10 s."""
    told = {semconv.CONFIG_PREFIX + name: value for name, value in configuration.items()}
    spans = [
        SpanRecord("train_epoch", "t", str(n), "", n * 10**10, (n + 1) * 10**10, {semconv.BATCHES: batches})
        for n in range(epochs)
    ]
    return Entry("fit", 0, None, told, [Epoch(span, [], []) for span in spans])


@pytest.mark.parametrize(
    ("entry", "total", "epochs"),
    [
        (entry_of(1, max_epochs=5, max_steps=-1), 500, 5),
        (entry_of(0, max_epochs=5, max_steps=-1), None, 5),
        (entry_of(0, max_epochs=5, max_steps=30, accumulate_grad_batches=4), 120, 5),
        (entry_of(1, max_epochs=5, max_steps=30, accumulate_grad_batches=4), 120, 5),
        (entry_of(1, max_epochs=-1, max_steps=-1), None, None),
        (None, None, None),
    ],
)
def test_what_is_planned(entry: Entry | None, total: int | None, epochs: int | None) -> None:
    assert planned(entry, 0) == (total, epochs)


def test_more_batches_than_planned_are_the_plan() -> None:
    assert planned(entry_of(1, max_epochs=5), 520)[0] == 520


def test_epoch_that_was_cut_short_is_not_taken_for_a_whole_one() -> None:
    failed = entry_of(2, max_epochs=5)
    failed.epochs[-1].span.attributes[semconv.BATCHES] = 30
    assert planned(failed, 130)[0] == 500


def test_process_that_answers_says_the_count(running: Run) -> None:
    heard = Heard(True, 0.0, ((90.0, 700), (100.0, 720)), 0.4, ready=True)
    found = now(running, heard, 100.5)
    assert (found.state, found.batches, found.asked, found.as_of) == (State.RUNNING, 720, True, 0.5)
    assert found.batches_per_second == pytest.approx(2.0)
    assert found.ready


def test_without_a_process_the_last_export_says_it_and_how_old_it_is(running: Run) -> None:
    at = running.points[-1].time / 1e9 + 30
    found = now(running, Heard(None, at - 30), at)
    assert (found.state, found.asked) == (State.RUNNING, False)
    assert found.batches == 600
    assert found.as_of == pytest.approx(30, abs=1)


@pytest.mark.parametrize(("here", "state"), [(False, State.DEAD), (None, State.SILENT), (True, State.RUNNING)])
def test_run_that_has_long_written_nothing(running: Run, here: bool | None, state: State) -> None:
    assert now(running, Heard(here, 1000.0), 5000.0).state is state


def test_ended_run_has_its_outcome_count_and_no_end_to_come(ended: Run) -> None:
    found = now(ended, QUIET, 1e10)
    assert (found.state, found.said, found.batches, found.remaining) == (State.ENDED, "completed", 600, None)
    assert not found.ready


def test_remaining_time_counts_validations_by_the_epochs_that_ended() -> None:
    run = Run("r", ".", {}, 1, [entry_of(2, max_epochs=4)], [], [], [], [], [], 0, 1)
    found = now(run, Heard(True, 0.0, ((99.0, 245), (100.0, 250)), 0.1), 100.0)
    assert found.remaining == pytest.approx((400 - 250) * 0.1)


def test_phases_are_those_between_the_last_two_exports(running: Run) -> None:
    shares = phases_now(running.points)
    assert sum(share for _, share in shares) == pytest.approx(1)
    assert {name for name, _ in shares} >= {"fetch", "forward", "backward"}


def test_run_without_anything_has_a_state() -> None:
    found = now(Run("r", ".", {}, 1, [], [], [], [], [], [], 0, 0), QUIET, 100.0)
    assert (found.state, found.batches, found.total, found.phases) == (State.SILENT, 0, None, [])
