"""The time line: what is latest, what lay in a time, and how it stays bounded."""

from __future__ import annotations

import numpy as np
import pytest

from ocr_otel.resources import timeline as timelines
from ocr_otel.resources.readings import series
from ocr_otel.resources.timeline import MAX_POINTS, RECENT, Timeline

SECOND = 1_000_000_000
FIRST, OTHER = series("m", device="a"), series("m", device="b")


def test_the_latest_of_each_series_that_still_goes_on() -> None:
    timeline = Timeline()
    for second in range(5):
        timeline.add(second * SECOND, FIRST, second)
    timeline.add(2 * SECOND, OTHER, 7)
    timeline.add(4 * SECOND, series("n"), 9)
    assert timeline.latest("m", since=3 * SECOND) == [(FIRST, 4.0)]
    assert dict(timeline.latest("m", since=0)) == {FIRST: 4.0, OTHER: 7.0}
    assert timeline.latest("unheard of", since=0) == []


def test_a_window_has_what_lies_in_it_and_around_it_where_that_is_asked() -> None:
    timeline = Timeline()
    for second in range(10):
        timeline.add(second * SECOND, FIRST, second * second)
    inside = timeline.window("m", 3 * SECOND, 5 * SECOND)[FIRST]
    assert inside.values.tolist() == [9, 16, 25]
    around = timeline.window("m", 3 * SECOND + 1, 4 * SECOND - 1, around=True)[FIRST]
    assert around.values.tolist() == [9, 16]
    assert around.rate() == 7
    assert timeline.window("m", 3 * SECOND + 1, 4 * SECOND - 1) == {}
    assert timeline.window("m", 9 * SECOND, 20 * SECOND)[FIRST].rate() is None


def test_a_long_series_keeps_its_beginning_and_all_of_its_end() -> None:
    timeline = Timeline()
    number = 5 * MAX_POINTS
    for second in range(number):
        timeline.add(second * SECOND, FIRST, second)
    points = timeline.window("m", 0, number * SECOND)[FIRST]
    assert len(points.values) <= MAX_POINTS
    assert points.values[0] == 0
    assert points.values[-RECENT:].tolist() == list(range(number - RECENT, number))
    assert (points.times == points.values * SECOND).all()


@pytest.mark.parametrize("number", [MAX_POINTS, MAX_POINTS + 1, 7 * MAX_POINTS, 100 * MAX_POINTS + 77])
def test_what_is_not_recent_is_kept_evenly(number) -> None:
    timeline = Timeline()
    for second in range(number):
        timeline.add(second * SECOND, FIRST, second)
    values = timeline.window("m", 0, number * SECOND)[FIRST].values
    assert values[0] == 0
    assert len(values) >= RECENT + min(number - RECENT, MAX_POINTS // 8)
    steps = np.diff(values[:-RECENT])
    # But for the one to the first that is recent, those between what is thinned are alike.
    assert len(set(steps[steps > 1][:-1].tolist())) <= 1


def test_more_series_than_there_is_room_for_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(timelines, "MAX_SERIES", 3)
    timeline = Timeline()
    for number in range(5):
        timeline.add(1, series("m", number=number), 1)
    assert len(timeline.latest("m", 0)) == 3
    assert timeline.refused == 2
