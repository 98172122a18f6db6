"""How often a change is called one: where there is none, and where there is, with the noise of a real run."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from ocr_otel.comparison.build import LEAST, LEVEL, changes, outcome
from ocr_otel.comparison.data import Outcome
from ocr_otel.comparison.statistics import (
    MAX_STEPS,
    MIN_STEPS,
    blocks,
    correlation_time,
    difference,
    mean,
    ratio,
    thinned,
    trimmed_mean,
)
from tests.support.demo_noise import recorded, resampled

PAIRS = 200


def found(base: np.ndarray, other: np.ndarray) -> Outcome:
    return outcome(changes(base, other, LEVEL, LEAST))


def test_false_alarms_are_no_more_than_the_level_says_and_a_plain_t_test_has_many() -> None:
    random = np.random.default_rng(11)
    pairs = [(resampled(300, random), resampled(300, random)) for _ in range(PAIRS)]
    alarms = sum(found(*pair) is not Outcome.SAME for pair in pairs)
    naive = sum(stats.ttest_ind(*pair, equal_var=False).pvalue < LEVEL for pair in pairs)
    assert alarms <= LEVEL * PAIRS, alarms
    assert naive > PAIRS / 3, naive


@pytest.mark.parametrize(("steps", "slower"), [(300, 1.2), (700, 1.1)])
def test_slower_run_is_found(steps: int, slower: float) -> None:
    random = np.random.default_rng(11)
    pairs = [(resampled(steps, random), slower * resampled(steps, random)) for _ in range(PAIRS // 2)]
    assert sum(found(*pair) is Outcome.SLOWER for pair in pairs) >= 0.95 * len(pairs)


def test_slower_run_is_found_sooner_where_batches_do_not_depend_on_each_other() -> None:
    random = np.random.default_rng(11)
    pairs = [(random.lognormal(0.0, 0.16, 100), 1.1 * random.lognormal(0.0, 0.16, 100)) for _ in range(PAIRS // 2)]
    assert sum(found(*pair) is Outcome.SLOWER for pair in pairs) >= 0.95 * len(pairs)


def test_recorded_noise_is_correlated_and_what_is_drawn_from_it_too() -> None:
    random = np.random.default_rng(3)
    assert correlation_time(recorded()) > 5
    drawn = [correlation_time(resampled(600, random)) for _ in range(20)]
    assert np.median(drawn) > 5
    assert correlation_time(random.permutation(recorded())) < 3


def test_faster_is_found_and_a_change_too_small_to_matter_is_not_called_one() -> None:
    random = np.random.default_rng(1)
    base, other = (random.normal(1.0, 0.01, 2000) for _ in range(2))
    assert found(base, 0.9 * other) is Outcome.FASTER
    small = changes(base, 1.01 * other, LEVEL, LEAST)
    assert small[0].estimate.p < 0.001
    assert outcome(small) is Outcome.SAME


def test_longer_tail_alone_is_found() -> None:
    random = np.random.default_rng(1)
    base, other = (random.normal(1.0, 0.01, 600) for _ in range(2))
    other[random.random(600) < 0.08] *= 3
    typical, tail, _ = changes(base, other, LEVEL, LEAST)
    assert not typical.changed
    assert tail.changed
    assert found(base, other) is Outcome.SLOWER


def test_bounds_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        base, other = (blocks(random.lognormal(0.0, 0.2, 300), 1.0) for _ in range(2))
        held += (estimate := ratio(base, other, trimmed_mean, 0.1)).low <= 1 <= estimate.high
    assert 82 <= held <= 97


def test_same_question_has_the_same_answer() -> None:
    random = np.random.default_rng(2)
    base, other = resampled(300, random), resampled(300, random)
    assert changes(base, other, LEVEL, LEAST) == changes(base, other, LEVEL, LEAST)


def test_series_without_noise_are_compared_too() -> None:
    still = np.ones(MIN_STEPS)
    assert found(still, still) is Outcome.SAME
    assert found(still, 1.5 * still) is Outcome.SLOWER
    assert difference(blocks(0 * still, 1.0), blocks(0 * still, 1.0), mean, 0.05).p == 1.0


def test_blocks_are_long_beside_the_correlation_and_leave_out_the_earliest() -> None:
    values = np.arange(307.0)
    cut = blocks(values, 6.0)
    assert (cut.count, cut.length) == (12, 25)
    assert cut.values[0, 0] == 7
    assert blocks(values, 1000.0).count == 10


def test_very_long_series_are_thinned_evenly() -> None:
    found = thinned(np.arange(3.5 * MAX_STEPS))
    assert len(found) <= MAX_STEPS
    assert set(np.diff(found)) == {4.0}
