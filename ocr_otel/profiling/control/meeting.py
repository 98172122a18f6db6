"""At which step windows of several ranks open together."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final

from ocr_otel.profiling.requests import Standing

REACH_SECONDS: Final = 0.5
"""Time in which the request reaches every rank of a busy host; twice as long as asking took comes on top."""
MIN_BATCHES: Final = 2
"""A rank looks at what it is asked at the end of a batch, and another may be one batch ahead of what it said."""


def common_step(
    standings: Collection[Standing], batch_seconds: float, asking_seconds: float, reach_seconds: float = REACH_SECONDS
) -> int:
    """Return a step that no rank will have passed when it is asked.

    Args:
        standings: Where the ranks are; at least one.
        batch_seconds: How long a batch takes at least.
        asking_seconds: How long it took to ask where they are.
        reach_seconds: How long the request may take to reach them.
    """
    batches = math.ceil((reach_seconds + 2 * asking_seconds) / batch_seconds)
    return max(each.steps for each in standings) + max(MIN_BATCHES, batches)


def known_batch_seconds(standings: Collection[Standing]) -> float | None:
    """Return how long a batch takes; None where no rank has had enough of them to say."""
    return min((each.batch_seconds for each in standings if each.batch_seconds > 0), default=None)


def observed_batch_seconds(before: Collection[Standing], after: Collection[Standing], seconds: float) -> float:
    """Return how long a batch took while it was looked on for so long; that long where none ended."""
    done = max(each.steps for each in after) - max(each.steps for each in before)
    return seconds / max(1, done)
