"""Whether two series of step times differ beyond their noise.

Step times are no independent draws: a machine that is busy for a second makes ten batches in a row slow, and a few are
ten times the median. A t test of the batches takes each of them for news and calls a change what is none: with the
demo's noise that test, at a level of 5 %, is wrong in a third of all cases. So the unit here is a block of successive
batches, long enough that blocks hardly know of each other. Blocks are drawn anew with SciPy's bootstrap (the block
bootstrap, Carlstein 1986), which gives the standard error of any statistic, also of one that no formula has. There are
only 10 to 30 blocks, so that the bounds are those of Student's distribution, as with the method of batch means
(Schmeiser 1982, "Batch size effects in the analysis of simulation output"), with Welch's degrees of freedom.

Ratios are judged in the logarithm, where slower and faster are alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import stats  # type: ignore[import-untyped]

from ocr_otel.comparison.data import Estimate

Floats = npt.NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""A statistic over the last axis."""

MIN_STEPS: Final = 40
"""Step times below which nothing is said: ten blocks of four."""
MAX_STEPS: Final = 20_000
"""Step times that are looked at; of more an even choice."""
MIN_BLOCKS: Final = 10
MAX_BLOCKS: Final = 30
"""More blocks make the bounds hardly narrower: Student's factor is 2.04 at 30 and 1.96 without end."""
CORRELATIONS: Final = 4
"""Times of correlation that a block is long."""
_WINDOW: Final = 5
"""Correlations are added up to five times of correlation, beyond which there is only their noise (Sokal 1997)."""
_MOST_STILL: Final = 0.5
"""Share of the variance that blocks may miss; where it would be more there are too few steps to tell."""
_RESAMPLES: Final = 500
"""They give the standard error within about 3 %."""
_TOGETHER: Final = 250
"""Resamples that are in memory at once."""
TRIMMED: Final = 0.1
"""Share that a trimmed mean leaves out at each end."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Step times cut into blocks of one length.

    Attributes:
        values: Shape (blocks, length).
        correlation: Time of correlation in steps, 1 where steps do not depend on each other.
    """

    values: Floats
    correlation: float

    @property
    def count(self) -> int:
        """Number of blocks."""
        return int(self.values.shape[0])

    @property
    def length(self) -> int:
        """Steps in each."""
        return int(self.values.shape[1])


def mean(values: Floats) -> Floats:
    """Return the mean."""
    return np.asarray(values.mean(axis=-1), dtype=np.float64)


def trimmed_mean(values: Floats) -> Floats:
    """Return the mean without the fastest and the slowest tenth."""
    return np.asarray(stats.trim_mean(values, TRIMMED, axis=-1), dtype=np.float64)


def p95(values: Floats) -> Floats:
    """Return the 95th percentile."""
    return np.asarray(np.percentile(values, 95, axis=-1), dtype=np.float64)


def thinned(values: Floats) -> Floats:
    """Return the values; of more than `MAX_STEPS` every so-manieth."""
    return values[:: math.ceil(len(values) / MAX_STEPS)] if len(values) > MAX_STEPS else values


def correlation_time(values: Floats) -> float:
    """Return the number of steps that together tell as much as a single independent one; at least 1.

    It is of the steps' ranks, so that one that took a hundred times as long does not hide how the others hang together.
    """
    ranks = stats.rankdata(values)
    ranks -= ranks.mean()
    variance = float(ranks @ ranks)
    if variance <= 0:
        return 1.0
    found = 1.0
    for lag in range(1, len(values) // 4):
        found += 2 * float(ranks[lag:] @ ranks[:-lag]) / variance
        if lag >= _WINDOW * max(found, 1.0):
            break
    return max(1.0, found)


def blocks(values: Floats, correlation: float) -> Blocks:
    """Cut a series into blocks; what does not fill one is left out at the beginning.

    Args:
        values: At least `MIN_STEPS` values in their order.
        correlation: The time of correlation that decides their length: of two series that are compared the longer one,
            for where it is estimated too short, chance is taken for a change.
    """
    count = int(np.clip(len(values) / (CORRELATIONS * correlation), MIN_BLOCKS, MAX_BLOCKS))
    length = len(values) // count
    return Blocks(values[len(values) - count * length :].reshape(count, length), correlation)


def ratio(base: Blocks, other: Blocks, statistic: Statistic, level: float) -> Estimate:
    """Compare a positive statistic of two series by the ratio of the second to the first.

    Args:
        base: The first series.
        other: The second one.
        statistic: What is compared.
        level: Probability of bounds that miss the true ratio.
    """
    found = _compared(base, other, lambda values: np.log(np.maximum(statistic(values), 1e-12)), level)
    return Estimate(
        base=math.exp(found.base),
        other=math.exp(found.other),
        change=math.exp(found.change),
        low=math.exp(found.low),
        high=math.exp(found.high),
        p=found.p,
    )


def difference(base: Blocks, other: Blocks, statistic: Statistic, level: float) -> Estimate:
    """Compare a statistic of two series by the difference of the second to the first; as `ratio`."""
    return _compared(base, other, statistic, level)


def _compared(base: Blocks, other: Blocks, statistic: Statistic, level: float) -> Estimate:
    first, second = float(statistic(base.values.ravel())), float(statistic(other.values.ravel()))
    variances = [_variance(each, statistic) for each in (base, other)]
    change, variance = second - first, sum(variances)
    if variance <= 0:
        return Estimate(first, second, change, change, change, 0.0 if change else 1.0)
    freedom = variance**2 / sum(each**2 / (held.count - 1) for each, held in zip(variances, (base, other), strict=True))
    error = math.sqrt(variance)
    bound = float(stats.t.isf(level / 2, freedom)) * error
    p = 2 * float(stats.t.sf(abs(change) / error, freedom))
    return Estimate(first, second, change, change - bound, change + bound, p)


def _variance(held: Blocks, statistic: Statistic) -> float:
    def of(chosen: npt.NDArray[np.int64], axis: int = -1) -> Floats:
        drawn = held.values[chosen]
        return statistic(drawn.reshape(*drawn.shape[:-2], -1))

    # Always the same draws: a check in CI must not come out otherwise when it is asked again.
    generator = np.random.default_rng(0)
    error = stats.bootstrap(
        (np.arange(held.count),),
        of,
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=_TOGETHER,
        method="percentile",
        random_state=generator,
    ).standard_error
    # A resample's variance is that of its few blocks, which is too small by the first factor. By the second it is too
    # small because neighbouring blocks still hang together: to the first order, for correlations that fade evenly.
    still = (held.correlation - 1 / held.correlation) / (2 * held.length)
    return float(error) ** 2 * held.count / (held.count - 1) / (1 - min(still, _MOST_STILL))
