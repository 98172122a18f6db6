"""Clocks of hosts: what is corrected, by how much, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.report.clocks import Clocks
from ocr_otel.runs import RankRecord, SpanRecord


def rank(number: int, host: str, offsets: dict[int, Any] | None = None) -> RankRecord:
    epochs = [
        SpanRecord(
            semconv.TRAIN_EPOCH, "t", f"{number}{epoch}", "", 0, 1,
            {semconv.EPOCH: epoch, semconv.CLOCK_OFFSET: offset, semconv.CLOCK_ERROR: 0.0001 * (number + 1)},
        )
        for epoch, offset in (offsets or {}).items()
    ]  # fmt: skip
    return RankRecord(number, {"host.name": host} if host else {}, epochs)


HERE = [rank(0, "one"), rank(1, "one")]


def offset(clocks: Clocks, of: int, epoch: int) -> float | None:
    reading = clocks.ahead(of, epoch)
    return reading.offset if reading is not None else None


def test_ranks_of_the_first_host_and_of_unknown_ones_are_not_moved() -> None:
    for ranks in (HERE, [rank(0, ""), rank(1, "")], [rank(0, "one"), rank(1, "two")]):
        clocks = Clocks.of(ranks)
        assert [offset(clocks, each, 0) for each in (0, 1, 5)] == [None, None, None]
    assert Clocks.of(HERE).caption((0, 1), 0) == ""


@pytest.mark.parametrize(("epoch", "wanted"), [(0, 0.003), (1, 0.004), (2, 0.004), (9, 0.010)])
def test_the_reading_of_the_nearest_epoch_counts(epoch: int, wanted: float) -> None:
    clocks = Clocks.of([*HERE, rank(2, "two", {0: 0.003, 1: 0.004, 5: 0.010})])
    assert offset(clocks, 2, epoch) == wanted


def test_ranks_of_a_host_share_its_clock_and_the_larger_error() -> None:
    clocks = Clocks.of([*HERE, rank(2, "two", {0: 0.003}), rank(3, "two", {0: 0.005}), rank(4, "two")])
    assert [offset(clocks, each, 0) for each in (2, 3, 4)] == [0.004] * 3
    assert clocks.ahead(4, 0) == clocks.ahead(2, 0)
    assert clocks.caption(range(5), 0) == (
        "Spans of two are drawn 4 ms earlier: so much its clock is ahead of that of one, give or take 400 µs."
    )


def test_a_clock_that_is_behind_moves_spans_later_and_one_that_nobody_compared_is_said() -> None:
    clocks = Clocks.of([*HERE, rank(2, "two", {0: -0.5}), rank(3, "three")])
    assert "drawn 500 ms later: so much its clock is behind" in clocks.caption((0, 2), 0)
    assert clocks.caption((0, 3), 0) == (
        "The clock of three was not compared with that of one: its spans stand where it says."
    )


def test_what_is_no_number_moves_nothing() -> None:
    clocks = Clocks.of([*HERE, rank(2, "two", {0: float("nan"), 1: "a lot"})])
    assert offset(clocks, 2, 0) == 0.0
