"""What was read, over time: the latest of each series, and enough of the past to describe an epoch or a batch."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel.resources.readings import Series

MAX_POINTS: Final = 1024
"""Points kept of a series, which are 16 KB: the last `RECENT` all, those before as evenly as they find room."""
RECENT: Final = MAX_POINTS // 2
_BLOCK: Final = MAX_POINTS // 4
MAX_SERIES: Final = 2000
"""Series of a process; further ones are not taken, so that nothing that names its own series can flood a backend."""


@dataclass(frozen=True, slots=True)
class Window:
    """The points of one series in a time.

    Attributes:
        times: Monotonic nanoseconds.
        values: What was read then.
    """

    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    def gaps(self) -> npt.NDArray[np.float64]:
        """Return for each point the time that it stands for, relative to the others: that since the point before."""
        between = np.diff(self.times).astype(np.float64)
        return np.concatenate([between[:1], between]) if len(between) else np.ones(len(self.times))

    def rate(self) -> float | None:
        """Return the growth of a counter a second; None of fewer than two points."""
        if len(self.values) < 2:
            return None
        return float(self.values[-1] - self.values[0]) / (int(self.times[-1] - self.times[0]) / 1e9)


class _History:
    """All the memory that it will ever need is taken at once: a process that grows for an hour looks like a leak."""

    __slots__ = ("_every", "_old", "_passed", "_points", "_times", "_values")

    def __init__(self) -> None:
        self._times = np.full(MAX_POINTS, 0, dtype=np.int64)
        self._values = np.full(MAX_POINTS, 0.0)
        self._points = 0
        # The first so many are those that are no longer recent: every so manieth of as many as have passed.
        self._old = 0
        self._every = 1
        self._passed = 0

    def add(self, now: int, value: float) -> None:
        while self._points == MAX_POINTS:
            self._thin()
        self._times[self._points], self._values[self._points] = now, value
        self._points += 1

    def _thin(self) -> None:
        passing = np.arange(self._passed, self._passed + _BLOCK)
        kept = np.concatenate([np.arange(self._old), self._old + np.flatnonzero(passing % self._every == 0)])
        recent = np.arange(self._old + _BLOCK, self._points)
        self._passed += _BLOCK
        if len(kept) > _BLOCK:
            kept = kept[::2]
            self._every *= 2
        self._old = len(kept)
        kept = np.concatenate([kept, recent])
        self._points = len(kept)
        for points in (self._times, self._values):
            points[: self._points] = points[kept]

    def latest(self, since: int) -> float | None:
        last = self._points - 1
        return float(self._values[last]) if last >= 0 and self._times[last] >= since else None

    def window(self, start: int, end: int, around: bool) -> Window | None:
        times = self._times[: self._points]
        first, last = int(np.searchsorted(times, start)), int(np.searchsorted(times, end, side="right"))
        if around:
            first, last = max(0, first - 1), min(last + 1, self._points)
        return Window(times[first:last].copy(), self._values[first:last].copy()) if first < last else None


class Timeline:
    """Points of many series. Samplers add, any thread may read.

    Attributes:
        refused: Series that were not taken, for there were too many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histories: dict[Series, _History] = {}
        self._by_metric: dict[str, list[Series]] = {}
        self.refused: int = 0

    def add(self, now: int, series: Series, value: float) -> None:
        """Add a point; `now` is a monotonic time in nanoseconds."""
        with self._lock:
            history = self._histories.get(series)
            if history is None:
                if len(self._histories) >= MAX_SERIES:
                    self.refused += 1
                    return
                history = self._histories[series] = _History()
                self._by_metric.setdefault(series.metric, []).append(series)
            history.add(now, value)

    def latest(self, metric: str, since: int) -> list[tuple[Series, float]]:
        """Return the last point of each series of a metric that was read after `since`."""
        with self._lock:
            found = [(series, self._histories[series].latest(since)) for series in self._by_metric.get(metric, ())]
        return [(series, value) for series, value in found if value is not None]

    def window(self, metric: str, start: int, end: int, around: bool = False) -> dict[Series, Window]:
        """Return the points of a metric's series from `start` to `end`, both included.

        Args:
            metric: The metric.
            start: Monotonic nanoseconds.
            end: Monotonic nanoseconds.
            around: Whether the point before and the one after belong to it too, as a counter's do.

        Returns:
            The points by series; series without any are left out.
        """
        found = {}
        with self._lock:
            for series in self._by_metric.get(metric, ()):
                window = self._histories[series].window(start, end, around)
                if window is not None:
                    found[series] = window
        return found
