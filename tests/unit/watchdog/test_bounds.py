"""Whether a stand-still is a hang, by simulated times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_otel.watchdog.bounds import FACTOR, FIRST, REPEATED, Hang, Progress, Seen

SECOND = 1_000_000_000
SHORTEST = 300
INTERVAL = 5
TRAIN, EVALUATE, CHECKPOINT = (1, 0), (2, 2), (3, 0)


@dataclass
class Run:
    """A simulated run, looked at every `INTERVAL` seconds; times are seconds.

    Attributes:
        now: The time.
        told: The hangs.
    """

    now: float = 1000.0
    told: list[Hang] = field(default_factory=list)
    progress: Progress = field(default_factory=lambda: Progress(SHORTEST * SECOND, INTERVAL * SECOND))
    _place: tuple[int, ...] | None = None
    _began: float = 0.0
    _batch_began: float = 0.0
    _batch: int = -1
    _longest: float = 0.0
    _next_look: float = 1000.0

    def enter(self, place: tuple[int, ...] | None) -> None:
        self._place, self._began, self._batch_began, self._batch, self._longest = place, self.now, 0.0, -1, 0.0

    def batch(self, seconds: float) -> None:
        self._batch += 1
        self._batch_began = began = self.now
        self.wait(seconds)
        self._batch_began = 0.0
        self._longest = max(self._longest, self.now - began)

    def wait(self, seconds: float, paused: bool = False) -> None:
        end = self.now + seconds
        while self._next_look <= end:
            self.now = self._next_look
            self._look(INTERVAL if paused else 0)
            self._next_look += INTERVAL
        self.now = end

    def not_scheduled(self, seconds: float) -> None:
        """Let time pass in which nobody runs, the one who looks neither."""
        self.now = self._next_look = self.now + seconds
        self._look(0)
        self._next_look += INTERVAL

    def _look(self, paused: float) -> None:
        seen = Seen(
            self._place,
            (int(self._began * 1000), int(self._batch_began * 1000), self._batch),
            int(max(self._began, self._batch_began) * SECOND),
            int(self._longest * SECOND),
        )
        hang = self.progress.look(int(self.now * SECOND), seen, int(paused * SECOND))
        if hang is not None:
            self.told.append(hang)


def warm(seconds: float = 1.0) -> Run:
    """Return a run that trains and whose batches are known to take so long."""
    run = Run()
    run.enter(TRAIN)
    for _ in range(30):
        run.batch(seconds)
    return run


def growing() -> Iterator[float]:
    seconds = 0.1
    while seconds < 20_000:
        yield seconds
        seconds *= 2


@settings(deadline=None)
@given(first=st.floats(0.001, 290), factors=st.lists(st.floats(0.1, 3.9), max_size=8))
def test_batches_that_grow_by_less_than_the_factor_are_never_accused(first: float, factors: list[float]) -> None:
    run = warm(0.5)
    seconds = longest = first
    run.batch(seconds)
    for factor in factors:
        seconds = min(longest * factor, 2e4)
        longest = max(longest, seconds)
        run.batch(seconds)
    assert run.told == []


@settings(deadline=None)
@given(seconds=st.floats(0.001, 250), batches=st.integers(2, 40))
def test_a_stand_still_is_told_once_and_soon_after_its_bound(seconds: float, batches: int) -> None:
    run = Run()
    run.enter(TRAIN)
    for _ in range(batches):
        run.batch(seconds)
    longest = FACTOR * (seconds + 2 * INTERVAL)
    run.batch(max(SHORTEST, longest) + 2 * INTERVAL)
    [hang] = run.told
    assert hang.stood > hang.bound
    assert hang.stood <= hang.bound + INTERVAL * SECOND
    assert hang.bound >= max(SHORTEST, FACTOR * (seconds - INTERVAL) if batches > 2 else 0) * SECOND


@settings(deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from([TRAIN, EVALUATE, CHECKPOINT, None]), st.lists(st.floats(0, 299), max_size=4))
    )
)
def test_nothing_shorter_than_the_shortest_bound_is_ever_accused(
    steps: list[tuple[tuple[int, ...] | None, list[float]]],
) -> None:
    run = Run()
    for place, batches in steps:
        run.enter(place)
        for seconds in batches:
            run.batch(seconds)
    assert run.told == []


def test_a_run_whose_batches_double_again_and_again_is_not_accused() -> None:
    run = warm(0.1)
    for seconds in growing():
        run.batch(seconds)
    assert run.told == []


def test_a_validation_of_fifty_batches_is_not_accused_and_one_that_hangs_later_is() -> None:
    run = warm(10)
    run.enter(EVALUATE)
    run.batch(500)
    run.enter(TRAIN)
    run.batch(10)
    run.enter(EVALUATE)
    run.batch(700)
    assert run.told == []
    run.enter(TRAIN)
    run.batch(400)
    assert [hang.bound for hang in run.told] == [SHORTEST * SECOND]


@pytest.mark.parametrize("place", [(0, 0), TRAIN, EVALUATE, CHECKPOINT])
def test_what_was_never_seen_to_end_may_take_longer_but_not_for_ever(place: tuple[int, ...]) -> None:
    run = Run()
    run.enter(place)
    run.wait(FIRST * SHORTEST - INTERVAL)
    assert run.told == []
    run.wait(3 * INTERVAL)
    [hang] = run.told
    assert hang.bound == FIRST * SHORTEST * SECOND


def test_a_huge_first_batch_does_not_hide_a_hang_for_hours_but_may_come_again() -> None:
    run = Run()
    run.enter(TRAIN)
    run.batch(1500)
    for _ in range(20):
        run.batch(1)
    run.batch(1600)
    assert run.told == []
    run = Run()
    run.enter(TRAIN)
    run.batch(1500)
    for _ in range(20):
        run.batch(1)
    run.batch(3 * 1500)
    [hang] = run.told
    assert hang.bound == pytest.approx(REPEATED * 1500 * SECOND, rel=0.01)


@pytest.mark.parametrize(("second", "told"), [(1900, 1), (2100, 2)])
def test_a_hang_that_ended_is_armed_again_with_a_longer_bound(second: float, told: int) -> None:
    run = warm()
    run.batch(1000)
    assert [hang.bound for hang in run.told] == [SHORTEST * SECOND]
    run.batch(1)
    run.batch(second)
    assert len(run.told) == told
    assert all(hang.bound == pytest.approx(REPEATED * 1000 * SECOND, rel=0.02) for hang in run.told[1:])


def test_a_hang_is_known_as_long_as_it_lasts() -> None:
    run = warm()
    assert not run.progress.hanging
    run.enter(TRAIN)
    run.wait(1000)
    assert run.progress.hanging
    run.batch(INTERVAL)
    assert not run.progress.hanging


def test_nothing_is_told_where_nothing_is_to_go_on() -> None:
    run = warm()
    run.enter(None)
    run.wait(100_000)
    run.enter(TRAIN)
    run.batch(200)
    assert run.told == []


def test_time_in_which_a_process_is_stopped_does_not_count() -> None:
    run = warm()
    run.enter(TRAIN)
    run.wait(200)
    run.wait(100_000, paused=True)
    run.wait(50)
    assert run.told == []
    run.wait(100)
    assert len(run.told) == 1


def test_time_in_which_the_one_who_looks_did_not_run_does_not_count() -> None:
    run = warm()
    for _ in range(3):
        run.not_scheduled(10_000)
    assert run.told == []
    run.wait(SHORTEST + 2 * INTERVAL)
    assert len(run.told) == 1
