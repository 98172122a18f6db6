"""Sets of times, as sorted intervals that do not touch: their length, what they share, what they leave free."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Intervals:
    """A set of times in nanoseconds; made by `union`."""

    starts: Integers
    ends: Integers
    _sums: Integers = field(init=False)

    def __post_init__(self) -> None:
        """Sum the lengths up, for `within`."""
        object.__setattr__(self, "_sums", np.concatenate(([0], np.cumsum(self.ends - self.starts))))

    def __len__(self) -> int:
        """Return the number of intervals."""
        return len(self.starts)

    @property
    def total(self) -> int:
        """Length of all of them."""
        return int(self._sums[-1])

    def before(self, at: Integers) -> Integers:
        """Return how much of the set lies before each of some times."""
        index = np.searchsorted(self.starts, at, "right")
        ends = np.concatenate(([np.iinfo(np.int64).min], self.ends))
        return self._sums[index] - np.where(index > 0, np.maximum(0, ends[index] - at), 0)

    def within(self, starts: Integers, ends: Integers) -> Integers:
        """Return how much of the set lies in each of some intervals."""
        return self.before(ends) - self.before(starts)

    def contains(self, at: Integers) -> NDArray[np.bool_]:
        """Return whether each of some times is in the set."""
        if not len(self):
            return np.zeros(len(at), bool)
        index = np.maximum(np.searchsorted(self.starts, at, "right") - 1, 0)
        return (self.starts[index] <= at) & (at < self.ends[index])

    def shared(self, other: Intervals) -> int:
        """Return the length of what two sets share."""
        return int(other.within(self.starts, self.ends).sum())

    def clipped(self, start: int, end: int) -> Intervals:
        """Return the part of the set between two times."""
        starts, ends = np.clip(self.starts, start, end), np.clip(self.ends, start, end)
        kept = ends > starts
        return Intervals(starts[kept], ends[kept])

    def free(self, start: int, end: int) -> Intervals:
        """Return the times between two times that are not in the set."""
        inside = self.clipped(start, end)
        starts = np.concatenate(([start], inside.ends))
        ends = np.concatenate((inside.starts, [end]))
        kept = ends > starts
        return Intervals(starts[kept], ends[kept])

    def without(self, other: Intervals) -> Intervals:
        """Return the times of this set that are not in the other one."""
        if not len(self):
            return self
        free = other.free(int(self.starts[0]), int(self.ends[-1]))
        # Each edge of either set begins or ends an interval in which both are constant.
        edges = np.unique(np.concatenate((self.starts, self.ends, free.starts, free.ends)))
        kept = self.contains(edges[:-1]) & free.contains(edges[:-1])
        return union(edges[:-1][kept], edges[1:][kept])


def union(starts: Integers, ends: Integers, gap: int = 0) -> Intervals:
    """Return the times that are in any of some intervals; gaps up to `gap` nanoseconds are closed."""
    if not len(starts):
        empty = np.empty(0, np.int64)
        return Intervals(empty, empty)
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    first = np.concatenate(([True], starts[1:] > ends[:-1] + gap))
    last = np.concatenate((first[1:], [True]))
    return Intervals(starts[first], ends[last])
