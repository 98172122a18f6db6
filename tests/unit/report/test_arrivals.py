"""Who came late to a step: by tables of how long each rank waited."""

from __future__ import annotations

import random
from statistics import median

import pytest

from ocr_otel.report.arrivals import delays, last


@pytest.mark.parametrize(
    ("waits", "late", "came_last"),
    [
        ({}, {}, None),
        ({0: 5.0}, {}, None),
        # Nobody waited: no exchange was timed.
        ({0: 0.0, 1: 0.0}, {}, None),
        ({0: 4.0, 1: 1.0}, {0: -3.0, 1: 3.0}, 1),
        ({0: 5.0, 1: 6.0, 2: 1.0}, {0: -1.5, 1: -3.0, 2: 4.5}, 2),
        # An even number of others: the middle of two.
        ({0: 4.0, 1: 2.0, 2: 8.0, 3: 6.0, 4: 1.0}, {0: 0.0, 1: 3.0, 2: -5.0, 3: -3.0, 4: 4.0}, 4),
        ({0: 2.0, 1: 2.0, 2: 2.0}, {0: 0.0, 1: 0.0, 2: 0.0}, None),
        ({3: 1.0, 7: 1.0, 9: 2.0}, {3: 0.5, 7: 0.5, 9: -1.0}, None),
    ],
)
def test_who_waits_least_came_last(waits: dict[int, float], late: dict[int, float], came_last: int | None) -> None:
    assert delays(waits) == pytest.approx(late)
    assert last(waits) == came_last


@pytest.mark.parametrize("ranks", [2, 3, 8, 63, 64])
def test_a_delay_is_the_median_of_the_others_less_the_own_wait(ranks: int) -> None:
    drawn = random.Random(ranks)
    waits = {rank: drawn.choice([drawn.random(), 0.25]) for rank in range(ranks)}
    found = delays(waits)
    for rank, own in waits.items():
        assert found[rank] == pytest.approx(median(each for other, each in waits.items() if other != rank) - own)
