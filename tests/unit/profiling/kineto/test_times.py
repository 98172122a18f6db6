"""Sets of times and nested events agree with a plain and slow way of counting them."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import NONE, nest
from ocr_otel.profiling.kineto.structure import structure

SEEDS = range(20)
TICK = 10
"""Nanoseconds: shorter times are within what a trace's clock allows."""


def random_set(random: np.random.Generator) -> tuple[Intervals, set[int]]:
    starts = random.integers(0, 200, random.integers(0, 30))
    ends = starts + random.integers(1, 20, len(starts))
    ticks = {tick for start, end in zip(starts, ends, strict=True) for tick in range(start, end)}
    return union(starts, ends), ticks


@pytest.mark.parametrize("seed", SEEDS)
def test_sets_of_times(seed: int) -> None:
    random = np.random.default_rng(seed)
    (one, ticks), (other, others) = random_set(random), random_set(random)
    assert one.total == len(ticks)
    assert (one.ends[:-1] < one.starts[1:]).all()
    assert one.shared(other) == len(ticks & others)
    assert one.without(other).total == len(ticks - others)
    assert one.free(10, 150).total == len(set(range(10, 150)) - ticks)
    assert one.clipped(10, 150).total == len(ticks & set(range(10, 150)))
    at = np.arange(-5, 230)
    assert one.contains(at).tolist() == [tick in ticks for tick in at.tolist()]
    assert one.before(at).tolist() == [sum(tick < end for tick in ticks) for end in at.tolist()]


def random_tree(random: np.random.Generator, start: int, end: int, depth: int, found: list[tuple[int, int]]) -> None:
    """Events inside each other, siblings that touch, events of no length."""
    at = start
    while at < end and random.random() < 0.9:
        first = at + int(random.integers(0, 3))
        last = min(end, first + int(random.integers(0, 40)))
        if first >= end:
            break
        found.append((first, last))
        if depth and last - first > 1:
            random_tree(random, first, last, depth - 1, found)
        at = max(last, first + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_events_inside_each_other(seed: int) -> None:
    random = np.random.default_rng(seed)
    events: list[tuple[int, int, int]] = []
    for thread in range(3):
        found: list[tuple[int, int]] = []
        random_tree(random, 1000, 1400, 4, found)
        events += [(thread, start, max(end, start + 1)) for start, end in found]
    order = random.permutation(len(events))
    thread, start, end = np.array(events)[order].T * np.array([[1], [TICK], [TICK]])
    nested = nest(np.arange(len(events)), start, end - start, thread.astype(np.int32))

    def around(position: int) -> int:
        """Find the smallest event around one the slow way; of equal ones the later is inside."""
        mine = nested.places[position]
        candidates = [
            other
            for other in range(len(nested))
            if other != position
            and thread[nested.places[other]] == thread[mine]
            and nested.start[other] <= nested.start[position]
            and nested.end[other] >= nested.end[position]
            and (other < position or nested.end[other] - nested.start[other] > end[mine] - start[mine])
        ]
        return min(candidates, key=lambda other: (nested.end[other] - nested.start[other], -other), default=NONE)

    assert nested.parent.tolist() == [around(position) for position in range(len(nested))]
    covered = {(each, tick * TICK) for each, first, last in events for tick in range(first, last)}
    assert nested.own_time().sum() == len(covered) * TICK
    at = np.arange(990, 1410) * TICK
    for number in range(3):
        inside = nested.innermost(np.full(len(at), number, np.int32), at)
        assert [position != NONE for position in inside] == [(number, tick) in covered for tick in at.tolist()]
        known = inside[inside != NONE]
        assert (nested.start[known] <= at[inside != NONE]).all()
        assert (nested.end[known] > at[inside != NONE]).all()


def test_an_event_that_seems_to_outlast_the_one_around_it_is_still_inside() -> None:
    # Whole microseconds, as old traces have: the inner event ends one later, and the next one begins meanwhile.
    start = np.array([0, 8000, 10_000, 12_000])
    duration = np.array([10_000, 3000, 10_000, 1000])
    nested = nest(np.arange(4), start, duration, np.zeros(4, np.int32))
    assert nested.parent.tolist() == [NONE, 0, NONE, 2]


def test_nothing_is_in_nothing() -> None:
    empty = np.empty(0, np.int64)
    nested = nest(empty, empty, empty, np.empty(0, np.int32))
    assert len(nested) == 0
    assert nested.innermost(np.zeros(2, np.int32), np.array([1, 2])).tolist() == [NONE, NONE]
    assert union(empty, empty).total == 0
    assert union(empty, empty).contains(np.array([1])).tolist() == [False]


def test_brackets_in_strings_are_none() -> None:
    objects = [rb'{"a": "}{]["}', rb'{"b \" }": [1, {"c": "\\"}]}', rb'{"d\\\" ]": {}}']
    text = b", ".join(objects) + b"]}"
    found = structure(text)
    starts = [0, *(found.ends()[:-1] + 3).tolist()]
    assert [text[start : end + 1] for start, end in zip(starts, found.ends().tolist(), strict=True)] == objects
    assert found.close == len(text) - 2
    assert not found.in_string
    assert structure(text[:8]).in_string
