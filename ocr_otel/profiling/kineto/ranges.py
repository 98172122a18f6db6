"""Named ranges of the host, added up: the application's, ours, Lightning's and PyTorch's; and the parts of a batch."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import Integers
from ocr_otel.profiling.kineto.window import SECOND, Window, nest_of
from ocr_otel.profiling.profile import Range

_TOP: Final = 80


class Ranges:
    """Adds times up.

    Args:
        window: The window.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._has_device = len(window.device) > 0
        order = np.argsort(window.launched_at)
        self._launched = window.launched_at[order]
        self._sums = np.concatenate(([0], np.cumsum(window.columns.duration[window.device][order])))
        self._idle = window.busy().free(window.begin, window.end)

    def named(self) -> tuple[Range, ...]:
        """Return the ranges by name, the longest first."""
        window = self._window
        nested = nest_of(window.columns, window.host.places[window.annotations], window.begin, window.end)
        own = nested.own_time()
        names = window.columns.name[nested.places]
        grouped: dict[str, list[Integers]] = defaultdict(list)
        for number in np.unique(names):
            grouped[naming.without_numbers(window.name(number))].append(np.flatnonzero(names == number))
        found = []
        for name, parts in grouped.items():
            members = np.concatenate(parts)
            times = union(nested.start[members], nested.end[members]).clipped(window.begin, window.end)
            found.append(self._range(name, len(members), times, int(own[members].sum())))
        return tuple(sorted(found, key=lambda each: -each.seconds)[:_TOP])

    def with_phases(self, parts: dict[str, Intervals]) -> tuple[Range, ...]:
        """Return the ranges by name, the longest first, and the parts of a batch that were not marked by their name."""
        named = self.named()
        names = {each.name for each in named}
        told = [each for each in self.of_phases(parts) if each.name not in names]
        return tuple(sorted((*named, *told), key=lambda each: -each.seconds))

    def of_phases(self, parts: dict[str, Intervals]) -> tuple[Range, ...]:
        """Return the parts of a batch in the order in which they usually follow each other."""
        batches = self._window.batches
        starts, ends = self._window.host.start[batches], self._window.host.end[batches]
        found = []
        for name, times in parts.items():
            calls = int((times.within(starts, ends) > 0).sum())
            found.append(self._range(name, calls or len(times), times, times.total))
        return tuple(found)

    def _range(self, name: str, calls: int, times: Intervals, own: int) -> Range:
        low, high = np.searchsorted(self._launched, times.starts), np.searchsorted(self._launched, times.ends)
        return Range(
            name=name,
            calls=calls,
            seconds=times.total / SECOND,
            own=own / SECOND,
            operators=self._window.operating.shared(times) / SECOND,
            device=float((self._sums[high] - self._sums[low]).sum()) / SECOND if self._has_device else None,
            device_idle=self._idle.shared(times) / SECOND if self._has_device else None,
        )
