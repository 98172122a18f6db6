"""Durations of batches in bounded memory."""

from __future__ import annotations

import numpy as np

from ocr_otel import semconv
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.watch.history import DRAWN, HELD, Durations, downsampled


def batch(index: int, seconds: float, rank: int = 0) -> Batch:
    """A training batch that began `index` seconds after 0."""
    start = index * 10**9
    return Batch(SpanRecord(semconv.TRAIN_BATCH, "t", str(index), "", start, start + int(seconds * 1e9), {}), rank)


def test_all_of_few_are_drawn_each_once() -> None:
    durations = Durations()
    few = [batch(index, 0.1) for index in range(50)]
    durations.take(few[:30])
    durations.take([*few, batch(3, 9.0, rank=1)])
    assert durations.drawn(0.0) == [(float(index), 0.1) for index in range(50)]


def test_of_many_the_extremes_are_kept() -> None:
    durations = Durations()
    rng = np.random.default_rng(1)
    slow = {7_777: 5.0, 33_333: 3.0, 49_000: 4.0}
    for start in range(0, 50_000, 5_000):
        durations.take([batch(i, slow.get(i, 0.1 + 0.01 * rng.random())) for i in range(start, start + 5_000)])
    drawn = durations.drawn(0.0)
    assert len(drawn) <= DRAWN < HELD
    assert {at for at, seconds in drawn if seconds > 1} == set(slow)
    assert [at for at, _ in drawn] == sorted(at for at, _ in drawn)


def test_downsampling_takes_points_and_makes_none() -> None:
    times, values = np.arange(10_000.0), np.sin(np.arange(10_000) / 50)
    kept = downsampled(times, values, 400)
    assert len(kept) == 400
    assert len(set(kept.tolist())) == 400
