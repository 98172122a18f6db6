"""Who arrives last, how often and by how much: from what each rank waited."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_otel.ranks.straggling import MIN_STEPS, compare, delays_of
from ocr_otel.semconv import Phase

STEPS = 200
STEP = 0.1


def waits_of(arrivals: np.ndarray) -> np.ndarray:
    """Return what ranks wait that arrive at such times, shape (ranks, steps): all leave 1 ms after the last."""
    return arrivals.max(axis=0) + 0.001 - arrivals


def arrivals(ranks: int, seed: int = 0) -> np.ndarray:
    """Return times that differ by less than what is the scheduler's noise."""
    return np.random.default_rng(seed).uniform(0, 0.0005, (ranks, STEPS))


def quiet(ranks: int) -> list[dict[Phase, float]]:
    return [{Phase.FETCH: 0.01, Phase.FORWARD: 0.05} for _ in range(ranks)]


def test_delay_is_the_time_after_the_median_of_the_others() -> None:
    came = np.array([[0.0], [0.01], [0.02], [0.05]])
    assert delays_of(waits_of(came))[:, 0] == pytest.approx([-0.02, -0.01, 0.01, 0.04])
    assert delays_of(waits_of(came[:3]))[:, 0] == pytest.approx([-0.015, 0.0, 0.015])
    assert delays_of(waits_of(came[:2]))[:, 0] == pytest.approx([-0.01, 0.01])


@pytest.mark.parametrize("ranks", [2, 3, 4, 9])
def test_equal_arrivals_are_no_delay(ranks: int) -> None:
    assert delays_of(np.full((ranks, 3), 0.02)) == pytest.approx(0.0)


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
def test_a_rank_that_is_always_late_is_named_with_its_phase(ranks: int) -> None:
    came = arrivals(ranks)
    came[1] += 0.03
    phases = quiet(ranks)
    phases[1] = {Phase.FETCH: 0.04, Phase.FORWARD: 0.051}
    found = compare(range(ranks), waits_of(came), phases, STEP)
    assert found is not None
    assert found.straggler is not None
    assert found.straggler.rank == 1
    assert found.straggler.ratio == 1.0
    assert found.straggler.delay == pytest.approx(0.03, abs=0.001)
    assert found.straggler.phase is Phase.FETCH
    assert found.straggler.excess == pytest.approx(0.03)
    assert "Rank 1 arrived last in 100% of the steps" in found.straggler.summary
    assert "it spends 30.0 ms a batch more in fetch" in found.straggler.summary
    assert (found.last == 1).all()


@pytest.mark.parametrize("ranks", [2, 3, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_ranks_that_are_late_by_turns_are_none(ranks: int, seed: int) -> None:
    came = arrivals(ranks, seed)
    which = np.random.default_rng(seed).integers(0, ranks, STEPS)
    came[which, np.arange(STEPS)] += 0.05
    found = compare(range(ranks), waits_of(came), quiet(ranks), STEP)
    assert found is not None
    assert found.straggler is None
    assert max(found.delays) < 0.001
    assert np.bincount(found.last).tolist() == np.bincount(which).tolist()


def test_noise_is_nobodys_delay() -> None:
    found = compare(range(4), waits_of(arrivals(4)), quiet(4), STEP)
    assert found is not None
    assert found.straggler is None
    assert (found.last == -1).all()


def test_a_delay_that_is_little_of_a_step_is_no_straggler() -> None:
    came = arrivals(3)
    came[2] += 0.004
    found = compare(range(3), waits_of(came), quiet(3), STEP)
    assert found is not None
    assert found.straggler is None
    assert found.delays[2] == pytest.approx(0.004, abs=0.001)


def test_two_ranks_that_are_both_late_are_late_by_the_others() -> None:
    came = arrivals(4)
    came[2:] += 0.03
    found = compare(range(4), waits_of(came), quiet(4), STEP)
    assert found is not None
    assert found.delays[0] == found.delays[1] == 0.0
    assert found.delays[2] > 0.01


def test_of_few_steps_or_one_rank_nothing_is_said() -> None:
    assert compare([0], np.ones((1, 100)), quiet(1), STEP) is None
    assert compare([0, 1], np.ones((2, MIN_STEPS - 1)), quiet(2), STEP) is None


def test_a_phase_is_named_only_where_it_is_longer() -> None:
    came = arrivals(3)
    came[0] += 0.05
    found = compare(range(3), waits_of(came), quiet(3), STEP)
    assert found is not None
    assert found.straggler is not None
    assert found.straggler.phase is None
    assert found.straggler.summary.endswith("after the median of the others.")
