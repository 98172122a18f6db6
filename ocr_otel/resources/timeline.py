"""What was read, over time: the latest of each series, and enough of the past to describe an epoch or a batch."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel.resources.readings import Series

MAX_POINTS: Final = 4096
"""Points kept of a series. When there are more, every other one of the older half goes: long epochs stay whole."""
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

    def rate(self) -> float | None:
        """Return the growth of a counter a second; None of fewer than two points."""
        if len(self.values) < 2:
            return None
        return float(self.values[-1] - self.values[0]) / (int(self.times[-1] - self.times[0]) / 1e9)


class _History:
    __slots__ = ("times", "values")

    def __init__(self) -> None:
        self.times = array("q")
        self.values = array("d")


class Timeline:
    """Points of many series. Samplers add, any thread may read.

    Attributes:
        refused: Series that were not taken, for there were too many.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histories: dict[Series, _History] = {}
        self._by_metric: dict[str, list[Series]] = {}
        self.refused = 0

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
            history.times.append(now)
            history.values.append(value)
            if len(history.times) > MAX_POINTS:
                half = MAX_POINTS // 2
                history.times[:half] = history.times[:half:2]
                history.values[:half] = history.values[:half:2]

    def latest(self, metric: str, since: int) -> list[tuple[Series, float]]:
        """Return the last point of each series of a metric that was read after `since`."""
        with self._lock:
            found = [(series, self._histories[series]) for series in self._by_metric.get(metric, ())]
            return [(series, each.values[-1]) for series, each in found if each.times[-1] >= since]

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
                history = self._histories[series]
                first, last = bisect_left(history.times, start), bisect_right(history.times, end)
                if around:
                    first, last = max(0, first - 1), last + 1
                if first < min(last, len(history.times)):
                    times, values = history.times[first:last], history.values[first:last]
                    found[series] = Window(np.frombuffer(times, np.int64), np.frombuffer(values, np.float64))
        return found
