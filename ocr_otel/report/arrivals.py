"""Who came late to a step: all ranks leave an exchange at the same time, so that the one that waits least came last."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ocr_otel.ranks.straggling import delays_of


def delays(waits: Mapping[int, float]) -> dict[int, float]:
    """Return by rank how many seconds after the median of the others it arrived; negative for an early one.

    Args:
        waits: Seconds that each rank waited at a step, for the others and for the exchange.

    Returns:
        Nothing of a single rank, and nothing where nobody waited.
    """
    if len(waits) < 2 or max(waits.values()) <= 0:
        return {}
    found = delays_of(np.array([[wait] for wait in waits.values()]))
    return dict(zip(waits, found[:, 0].tolist(), strict=True))


def last(waits: Mapping[int, float]) -> int | None:
    """Return the rank that arrived last; None of a single rank, and where several did."""
    if len(waits) < 2:
        return None
    least = min(waits.values())
    late = [rank for rank, own in waits.items() if own == least]
    return late[0] if len(late) == 1 else None
