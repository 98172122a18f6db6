"""A Collector that does not work slows no training down, and changes nothing that is learnt."""

from __future__ import annotations

import pytest

from tests.performance.turns import LEAST_ROUNDS
from tests.reliability.collectors import PROTOCOLS
from tests.reliability.slowdown import measure


@pytest.mark.slow_reliability
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_collector_slows_a_training_down(protocol: str) -> None:
    found = measure(protocol, LEAST_ROUNDS)
    print(*(each.row for each in found), sep="\n")
    assert [text for each in found for text in each.wrong] == []
