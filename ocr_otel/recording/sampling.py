"""Which batches become traces: decided from the batch's index alone, so that ranks agree, or from its slowness."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel.semconv import Kept
from ocr_otel.telemetry.allowance import Allowance

FIRST_BATCHES: Final = 3
"""Batches kept at the start of each epoch, where workers start and memory is allocated."""
WINDOW: Final = 64
"""Batches in the running median: long enough to be stable, short enough to follow a change of the training."""
MIN_BATCHES: Final = 16
"""There is no median of fewer batches."""
MIN_EXCESS_NS: Final = 1_000_000
"""A slow batch loses at least a millisecond; below that the ratio only shows the scheduler's noise."""
NEVER: Final = 1 << 62
"""Later than any index and any time in nanoseconds."""
SLOW_BURST: Final = 20
"""Slow batches kept in a row before the rate limit bites."""
SLOW_REFILL_NS: Final = 5_000_000_000
"""Then one slow batch in this time is kept: a run that is always irregular does not flood the backend."""
MAX_TRACE_SPANS: Final = 2_000
"""Jaeger's page suffers from a few thousand spans in a trace on."""
_CHILDREN: Final = 9
"""Spans below the root of a batch: its phases, and what a worker did for it."""


def detailed(trace_id: int, rank: int, world_size: int) -> bool:
    """Decide whether a rank adds more than its root span to the trace of a batch, which all ranks share.

    Where all of them would make it too large, as many do as there is room for, others in each trace; the roots have the
    times of the phases as attributes.

    Args:
        trace_id: Id of the batch's trace.
        rank: The rank.
        world_size: Number of ranks.

    Returns:
        Whether it does.
    """
    room = max(1, (MAX_TRACE_SPANS - world_size) // _CHILDREN)
    one_in = math.ceil(world_size / room)
    return (trace_id + rank) % world_size % one_in == 0


def stride(total_batches: float, budget: int) -> int:
    """Return N such that one batch in N stays within the budget of an epoch.

    Args:
        total_batches: Batches of the epoch; infinite when unknown.
        budget: Batches to keep, the first ones included; 0 keeps none.

    Returns:
        N, or 0 where no batch is kept by its index. For an unknown length see `planned`.
    """
    regular = budget - FIRST_BATCHES
    if regular <= 0 or math.isinf(total_batches):
        return 0
    return 1 if total_batches <= budget else math.ceil(total_batches / regular)


def planned(batch_idx: int, every: int, budget: int, unknown_length: bool) -> Kept | None:
    """Decide from the index alone whether a batch is kept.

    In an epoch of unknown length the stride doubles each time half of the budget is used: half the budget densely,
    then a quarter of it for each doubling of the length.

    Args:
        batch_idx: Index in the epoch.
        every: What `stride` returned.
        budget: Batches to keep in the epoch.
        unknown_length: Whether the epoch's length is unknown.

    Returns:
        Why it is kept, or None.
    """
    if batch_idx < min(FIRST_BATCHES, budget):
        return Kept.FIRST
    if unknown_length:
        half = max(1, budget // 2)
        every = 0 if budget <= FIRST_BATCHES else 1 << (batch_idx // half).bit_length()
    return Kept.REGULAR if every and batch_idx % every == 0 else None


def next_planned(batch_idx: int, every: int, budget: int, unknown_length: bool) -> int:
    """Return the next index after `batch_idx` at which `planned` keeps a batch; `NEVER` where there is none."""
    following = batch_idx + 1
    if following < min(FIRST_BATCHES, budget):
        return following
    if not unknown_length:
        return (following + every - 1) // every * every if every else NEVER
    if budget <= FIRST_BATCHES:
        return NEVER
    while planned(following, every, budget, unknown_length) is None:
        step = 1 << (following // max(1, budget // 2)).bit_length()
        following = (following // step + 1) * step
    return following


class SlowDetector:
    """Finds batches much slower than the running median, and limits how many are kept.

    Attributes:
        threshold: Nanoseconds above which a batch is slow.
        median: The running median, nanoseconds; 0 until there is one.
        found: Slow batches so far, kept or not.
    """

    __slots__ = ("_allowance", "_ratio", "_recent", "found", "median", "threshold")

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._recent: deque[int] = deque(maxlen=WINDOW)
        self._allowance = Allowance(SLOW_BURST, SLOW_REFILL_NS)
        self.threshold: float = math.inf
        self.median: int = 0
        self.found: int = 0

    def add(self, durations: npt.NDArray[np.int64]) -> None:
        """Take the durations of further batches, in nanoseconds, and renew median and threshold."""
        self._recent.extend(durations[-WINDOW:].tolist())
        if len(self._recent) >= MIN_BATCHES:
            recent = sorted(self._recent)
            self.median = recent[len(recent) // 2]
            self.threshold = max(self.median * self._ratio, self.median + MIN_EXCESS_NS)

    def may_keep(self, now: int) -> bool:
        """Take one from the allowance of slow batches; `now` is a monotonic time in nanoseconds."""
        return self._allowance.take(now)
