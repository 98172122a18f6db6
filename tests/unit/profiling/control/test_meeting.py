"""At which step the windows of several ranks open together."""

from __future__ import annotations

import pytest

from ocr_otel.profiling.control.meeting import common_step, known_batch_seconds, observed_batch_seconds
from ocr_otel.profiling.requests import Standing


def at(steps: int, batch_seconds: float = 0.0) -> Standing:
    return Standing("run", 0, 2, "fit", steps, batch_seconds)


@pytest.mark.parametrize(
    ("standings", "batch", "asking", "step"),
    [
        ([at(100), at(101)], 0.005, 0.0, 201),
        ([at(100), at(99)], 0.005, 0.25, 300),
        ([at(100), at(101)], 2.0, 0.01, 103),
        ([at(10), at(10)], 0.1, 0.0, 15),
    ],
)
def test_step_is_so_far_ahead_that_every_rank_hears_of_it(
    standings: list[Standing], batch: float, asking: float, step: int
) -> None:
    assert common_step(standings, batch, asking) == step


def test_batch_time_is_the_shortest_that_a_rank_knows() -> None:
    assert known_batch_seconds([at(5, 0.0), at(5, 0.2), at(5, 0.1)]) == 0.1
    assert known_batch_seconds([at(5), at(6)]) is None


def test_batch_time_that_no_rank_knows_is_looked_at() -> None:
    assert observed_batch_seconds([at(5), at(6)], [at(25), at(26)], 1.0) == 0.05
    assert observed_batch_seconds([at(0), at(0)], [at(0), at(0)], 1.0) == 1.0
