"""Which event lies inside which, on each thread."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

NONE: Final = -1
"""In place of an event where there is none."""


@dataclass(frozen=True, slots=True)
class Nest:
    """Events of some threads, by thread and time; all arrays have one element an event.

    Attributes:
        places: Their places in the columns.
        start: When they began, nanoseconds.
        end: When they ended; later than `start`.
        parent: The event around each; `NONE` where there is none.
        levels: The events by how many are around them, from the outermost.
    """

    places: Integers
    start: Integers
    end: Integers
    parent: Integers
    levels: tuple[Integers, ...]
    _keys: Integers
    _ends: Integers
    _first: int
    _span: int

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.places)

    def innermost(self, thread: NDArray[np.int32], at: Integers) -> Integers:
        """Return the innermost event around each of some times on a thread; `NONE` where there is none."""
        if not len(self):
            return np.full(len(at), NONE, np.int64)
        inside = (at >= self._first) & (at < self._first + self._span)
        keys = at - self._first + thread.astype(np.int64) * self._span
        found: Integers = np.where(inside, np.searchsorted(self._keys, keys, "right") - 1, NONE)
        while (over := (found >= 0) & (self._ends[found] <= keys)).any():
            found[over] = self.parent[found[over]]
        return found

    def inherited(self, own: Integers) -> Integers:
        """Return for each event its own value, or where that is `NONE` the one of the nearest event around it."""
        values = own.copy()
        for level in self.levels[1:]:
            missing = level[values[level] == NONE]
            values[missing] = values[self.parent[missing]]
        return values

    def around(self, own: Integers) -> Integers:
        """Return for each event the value of the nearest event around it that has one; `NONE` where none has."""
        inherited = self.inherited(own)
        around: Integers = np.where(self.parent >= 0, inherited[self.parent], NONE)
        return around

    def summed(self, own: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return for each event its own value with those of all events inside."""
        values = own.copy()
        for level in reversed(self.levels[1:]):
            np.add.at(values, self.parent[level], values[level])
        return values

    def own_time(self) -> Integers:
        """Return the time of each event without the events inside."""
        inner = np.flatnonzero(self.parent >= 0)
        around = self.parent[inner]
        length = np.minimum(self.end[inner], self.end[around]) - self.start[inner]
        covered = np.bincount(around, weights=np.maximum(length, 0), minlength=len(self)).astype(np.int64)
        own: Integers = np.maximum(self.end - self.start - covered, 0)
        return own


def nest(places: Integers, start: Integers, duration: Integers, thread: NDArray[np.int32]) -> Nest:
    """Find out which event lies inside which.

    Args:
        places: Places of the events in the columns.
        start: When they began, nanoseconds.
        duration: How long they took.
        thread: Their threads' numbers.
    """
    if not len(places):
        empty = np.empty(0, np.int64)
        return Nest(empty, empty, empty, empty, (empty,), empty, empty, 0, 1)
    end = start + np.maximum(duration, 1)
    first = int(start.min())
    span = int(end.max()) - first + 1
    # Each thread has a stretch of one long time line of its own, so that all are done at once.
    offset = thread.astype(np.int64) * span - first
    order = np.lexsort((-end, start + offset))
    places, start, end, offset = places[order], start[order], end[order], offset[order]
    keys, ends = start + offset, end + offset
    # Around an event are those that began before it, less those that have ended.
    ended = np.maximum(ends - _inaccuracy(start, duration), keys + 1)
    depth = np.arange(len(keys)) - np.searchsorted(np.sort(ended), keys, "right")
    parent = np.full(len(keys), NONE, np.int64)
    by_depth = np.argsort(depth, kind="stable")
    bounds = np.searchsorted(depth[by_depth], np.arange(int(depth.max()) + 2))
    levels = tuple(by_depth[low:high] for low, high in pairwise(bounds) if high > low)
    for outer, inner in pairwise(levels):
        index = np.searchsorted(outer, inner) - 1
        parent[inner] = np.where(index >= 0, outer[index], NONE)
    # Rounded times may let an event end after the one around it; what begins then is not inside of either.
    while (wrong := (parent >= 0) & (ended[parent] <= keys)).any():
        parent[wrong] = parent[parent[wrong]]
    return Nest(places, start, end, parent, levels, keys, ends, first, span)


def _inaccuracy(start: Integers, duration: Integers) -> int:
    """Return by how many nanoseconds an event may seem to last longer than it did.

    Traces of PyTorch before 2.4 count whole microseconds, later ones microseconds since 1970 in numbers that cannot
    hold their fractions; only then came nanoseconds since the program's start.
    """
    if not (start % 1000).any() and not (duration % 1000).any():
        return 1000
    return 1 + 2 * int(np.spacing(float(start.max()) / 1000) * 1000)
