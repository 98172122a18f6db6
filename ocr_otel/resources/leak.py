"""Does memory grow from epoch to epoch?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

MIN_EPOCHS: Final = 7
"""Epochs after warming up that are needed: with fewer, the best order there is could be chance."""
MAX_EPOCHS: Final = 64
"""Latest epochs that are looked at; older ones tell nothing of what grows now."""
EPOCHS_NEEDED: Final = 2 * MAX_EPOCHS
"""Latest epochs after which further ones change nothing."""
WARM_UP_EPOCHS: Final = 2
WARM_UP_SHARE: Final = 0.25
"""First epochs that are left out, at least and of a short run: caches fill, pools and workers start."""
ALPHA: Final = 0.02
"""Chance of naming a leak where there is only noise."""
MIN_SLOPE: Final = float(1 << 20)
"""Bytes an epoch below which nothing is said: allocators and the kernel's own counts drift by as much."""
STILL_GROWS: Final = 0.6
"""Share of the first half's growth that the second half must have: what warms up slows down, a leak does not."""

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Leak:
    """Growth that is not chance.

    Attributes:
        slope: Bytes an epoch.
        confidence: One less the chance of such an order without growth.
        first: First epoch that was looked at.
        last: Last one.
    """

    slope: float
    confidence: float
    first: int
    last: int


def find_leak(resident: Sequence[tuple[int, float]]) -> Leak | None:
    """Say whether memory grows.

    The order of the values is tested by the trend test of Mann (1945) and Kendall (1975), which asks how many pairs of
    epochs grow and so is not moved by outliers; its size is the median of the slopes of all pairs (Theil 1950, Sen
    1968). A jump that happens once, as when a second dataset is loaded, would be a trend to them. So the epochs are
    also cut in two at every place, pairs across the cut are left out, and both parts are taken together as Hirsch,
    Slack and Smith (1982) do with seasons: growth counts only where it is there whichever way they are cut. The chance
    of a false alarm stays at `ALPHA` for noise with and without one jump. Of two jumps or more it is not known.

    Args:
        resident: Epoch and resident bytes at its end, in the order of epochs.

    Returns:
        The growth; None where there is none to be sure of.
    """
    warm_up = max(WARM_UP_EPOCHS, math.ceil(len(resident) * WARM_UP_SHARE))
    kept = list(resident)[min(warm_up, max(WARM_UP_EPOCHS, len(resident) - MAX_EPOCHS)) :][-MAX_EPOCHS:]
    if len(kept) < MIN_EPOCHS:
        return None
    epochs = np.array([epoch for epoch, _ in kept], dtype=np.float64)
    values = np.array([size for _, size in kept], dtype=np.float64)
    chance = max(_chance(values, cut) for cut in range(len(kept) - 1))
    if chance > ALPHA:
        return None
    # Of how fast it grows, the greatest step is no part: it may be a jump.
    steps = np.diff(values) / np.diff(epochs)
    jump = int(np.argmax(np.abs(steps - np.median(steps)))) + 1
    first, second = np.triu_indices(len(kept), 1)
    aside = (first >= jump) | (second < jump)
    first, second = first[aside], second[aside]
    slopes = (values[second] - values[first]) / (epochs[second] - epochs[first])
    half = len(kept) // 2
    slope, early, late = (float(np.median(slopes[of])) for of in (slice(None), second <= half, first >= half))
    if min(slope, late) < MIN_SLOPE or late < early * STILL_GROWS:
        return None
    return Leak(slope, 1 - chance, kept[0][0], kept[-1][0])


def _parts(cut: int) -> tuple[slice, slice]:
    return slice(0, cut), slice(cut, None)


def _chance(values: _Floats, cut: int) -> float:
    """Return the chance that noise has as many growing pairs within the parts; `cut` 0 leaves the values whole."""
    score = sum(_score(values[part]) for part in _parts(cut))
    sizes = cut, len(values) - cut
    chances = _scores(*sorted(sizes))
    most = sum(size * (size - 1) // 2 for size in sizes)
    # Scores go from `-most` to `most` in steps of 2; ties leave one between, which is taken as the lower.
    return float(chances[max(0, (score + most) // 2) :].sum())


def _score(values: _Floats) -> int:
    return int(np.sign(values[None, :] - values[:, None])[np.triu_indices(len(values), 1)].sum())


@cache
def _scores(*sizes: int) -> _Floats:
    """Return the chances of all sums of scores of random orders, the lowest score first.

    The score of a random order of n values is the sum of independent uniform steps 0 to n - 1, Kendall (1975).
    """
    chances = np.ones(1)
    for size in sizes:
        for step in range(2, size + 1):
            chances = np.convolve(chances, np.full(step, 1 / step))
    return chances
