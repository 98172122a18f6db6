"""Which batches are kept: by index alone, or for being slow."""

import math
from random import Random

import numpy as np
import pytest

from ocr_otel.recording.sampling import (
    MAX_TRACE_SPANS,
    MIN_EXCESS_NS,
    NEVER,
    SLOW_BURST,
    SlowDetector,
    detailed,
    next_planned,
    planned,
    stride,
)
from ocr_otel.semconv import Kept

MS = 1_000_000


def kept(total: float, budget: int, batches: int | None = None) -> list[Kept]:
    every = stride(total, budget)
    count = batches if batches is not None else int(total)
    found = [planned(index, every, budget, math.isinf(total)) for index in range(count)]
    return [reason for reason in found if reason is not None]


@pytest.mark.parametrize("total", [1, 3, 50, 199, 200])
def test_a_short_epoch_is_kept_whole(total: int) -> None:
    assert len(kept(total, 200)) == total


@pytest.mark.parametrize("total", [201, 500, 1_000, 33_333, 1_000_000])
@pytest.mark.parametrize("budget", [10, 200, 2000])
def test_a_long_epoch_stays_within_the_budget_and_uses_half_of_it(total: int, budget: int) -> None:
    number = len(kept(total, budget))
    assert number <= budget
    assert number >= min(total, budget) * 0.45


def test_the_first_three_are_kept_as_first() -> None:
    assert kept(1000, 200)[:4] == [Kept.FIRST, Kept.FIRST, Kept.FIRST, Kept.REGULAR]


def test_a_budget_of_zero_keeps_none_by_index() -> None:
    assert kept(1000, 0) == []


def test_an_epoch_of_unknown_length_thins_out_as_it_grows() -> None:
    assert len(kept(math.inf, 200, 100)) == 100
    assert len(kept(math.inf, 200, 200)) == 150
    assert len(kept(math.inf, 200, 400)) == 200
    assert len(kept(math.inf, 200, 1_000_000)) < 800


@pytest.mark.parametrize("total", [5, 200, 201, 5_000, math.inf])
@pytest.mark.parametrize("budget", [0, 1, 3, 4, 10, 200])
def test_the_next_planned_batch_is_the_one_that_asking_for_each_finds(total: float, budget: int) -> None:
    every, unknown = stride(total, budget), math.isinf(total)
    for index in range(3_000):
        found = next_planned(index, every, budget, unknown)
        following = (later for later in range(index + 1, index + 600) if planned(later, every, budget, unknown))
        assert found == next(following, found if found >= index + 600 else "too early")
        if found >= index + 600:
            assert found == NEVER or planned(found, every, budget, unknown)


def detector_after(durations: list[int], ratio: float = 2.0) -> SlowDetector:
    detector = SlowDetector(ratio)
    for start in range(0, len(durations), 48):
        detector.add(np.array(durations[start : start + 48]))
    return detector


def test_nothing_is_slow_before_there_is_a_median() -> None:
    assert detector_after([1 * MS] * 15).threshold == math.inf


def test_a_batch_of_three_times_the_median_is_slow() -> None:
    detector = detector_after([10 * MS] * 16)
    assert detector.median == 10 * MS
    assert detector.threshold == 20 * MS


def test_noise_of_tiny_batches_is_not_slow() -> None:
    detector = detector_after([100_000] * 16)
    assert detector.threshold == 100_000 + MIN_EXCESS_NS


def test_the_median_follows_a_change_of_the_training() -> None:
    detector = detector_after([10 * MS] * 64 + [50 * MS] * 64)
    assert detector.threshold == 100 * MS


def test_slow_batches_are_kept_at_a_limited_rate() -> None:
    detector = SlowDetector(2.0)
    second = 1_000_000_000
    assert sum(detector.may_keep(1 + index) for index in range(100)) == SLOW_BURST
    assert not detector.may_keep(2 * second)
    assert detector.may_keep(8 * second)


@pytest.mark.parametrize("ranks", [1, 2, 64, 200])
def test_as_many_ranks_as_a_trace_has_room_for_add_all_their_spans(ranks: int) -> None:
    assert all(detailed(trace_id, rank, ranks) for trace_id in (0, 7, 2**127) for rank in range(ranks))


@pytest.mark.parametrize("ranks", [201, 256, 512, 1_000, 1_024, 1_900])
def test_the_trace_of_many_ranks_has_room_for_all_roots_and_for_all_spans_of_some(ranks: int) -> None:
    spans_of_rank = 10
    random = Random(1)
    traces = [random.getrandbits(128) for _ in range(500)]
    whole = [sum(detailed(trace_id, rank, ranks) for rank in range(ranks)) for trace_id in traces[:50]]
    assert len(set(whole)) == 1, "traces are of one size"
    assert MAX_TRACE_SPANS / 2 < ranks + whole[0] * (spans_of_rank - 1) <= MAX_TRACE_SPANS
    # Each has its turn.
    assert all(any(detailed(trace_id, rank, ranks) for trace_id in traces) for rank in (0, 1, ranks // 2, ranks - 1))


def test_of_more_ranks_than_a_trace_has_room_for_one_adds_all_its_spans() -> None:
    assert sum(detailed(12, rank, 4_096) for rank in range(4_096)) == 1
