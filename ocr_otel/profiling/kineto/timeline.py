"""The time line of a window's first batches, in bars few enough to draw."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.columns import Category
from ocr_otel.profiling.kineto.intervals import Intervals
from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Slice

BATCHES: Final = 3
"""Batches that are drawn: one may be odd, three show what repeats."""
MAX_SLICES: Final = 400
_BARS: Final = {"phases": 80, "operators": 130, "device": 110, "transfers": 40, "communication": 40}
"""Most bars in each lane beside the batches; they add up to `MAX_SLICES`."""


def timeline(window: Window, parts: dict[str, Intervals]) -> tuple[Slice, ...]:
    """Return the bars, by lane and time."""
    begin, end = _drawn(window)
    found = _of_batches(window)
    found += _bars("phases", *_of_phases(parts, begin, end), window.begin)
    for lane, starts, ends, names in _events(window):
        inside = (ends > begin) & (starts < end)
        found += _bars(
            lane, np.maximum(starts[inside], begin), np.minimum(ends[inside], end), _words(window, names[inside]),
            window.begin,
        )  # fmt: skip
    return tuple(found)


def _drawn(window: Window) -> tuple[int, int]:
    if len(window.batches) <= BATCHES:
        return window.begin, window.end
    end = int(window.host.end[window.batches[BATCHES - 1]])
    # The host may be far ahead: what these batches launched belongs to them.
    launched = window.device[window.launched_at < end]
    ends = window.columns.start[launched] + window.columns.duration[launched]
    return window.begin, max(end, int(ends.max(initial=end)))


def _of_batches(window: Window) -> list[Slice]:
    """Return the batches as they are named: our names tell which batch of the training each is."""
    places = window.batches[:BATCHES]
    starts, ends = window.host.start[places], window.host.end[places]
    return [
        Slice("batches", name, (start - window.begin) / SECOND, (end - start) / SECOND)
        for name, start, end in zip(
            _words(window, window.host_names[places]), starts.tolist(), ends.tolist(), strict=True
        )
    ]


def _of_phases(parts: dict[str, Intervals], begin: int, end: int) -> tuple[Integers, Integers, list[str]]:
    clipped = {name: times.clipped(begin, end) for name, times in parts.items()}
    if not clipped:
        return np.empty(0, np.int64), np.empty(0, np.int64), []
    starts = np.concatenate([times.starts for times in clipped.values()])
    ends = np.concatenate([times.ends for times in clipped.values()])
    return starts, ends, [name for name, times in clipped.items() for _ in range(len(times))]


def _events(window: Window) -> list[tuple[str, Integers, Integers, NDArray[np.int32]]]:
    host, columns = window.host, window.columns
    index = window.operators
    if len(index):
        real = index[~window.named(naming.wraps)[window.host_names[index]]]
        own = np.full(len(host), NONE, np.int64)
        own[real] = real
        index = real[host.around(own)[real] == NONE]
    found = [("operators", host.start[index], host.end[index], window.host_names[index])]
    if len(window.device):
        names = columns.name[window.device]
        kernels = window.on_device(Category.KERNEL)
        collectives = kernels & window.named(naming.is_collective_kernel)[names]
        lanes = {
            "device": kernels & ~collectives,
            "transfers": window.on_device(Category.COPY),
            "communication": collectives,
        }
        for lane, mine in lanes.items():
            places = window.device[mine]
            start = columns.start[places]
            found.append((lane, start, start + columns.duration[places], columns.name[places]))
    return found


def _words(window: Window, numbers: NDArray[np.int32]) -> list[str]:
    return [window.name(number)[:80] for number in numbers]


def _bars(lane: str, starts: Integers, ends: Integers, names: list[str], origin: int) -> list[Slice]:
    """Return bars for some events: neighbours become one, named after the longest in it, until they are few enough."""
    if not len(starts):
        return []
    order = np.lexsort((-ends, starts))
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    lengths = np.diff(np.concatenate((starts[:1], ends)))
    pauses = np.maximum(starts[1:] - ends[:-1], 0)
    # The widest pauses stay; all narrower ones are closed.
    wide = np.sort(np.argsort(-pauses, kind="stable")[: _BARS[lane] - 1]) + 1
    firsts = np.concatenate(([0], wide)) if len(pauses) else np.array([0])
    lasts = np.concatenate((firsts[1:], [len(starts)]))
    bars = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        longest = first + int(lengths[first:last].argmax())
        more = last - first - 1
        name = names[order[longest]] + (f" and {more} more" if more else "")
        length = int(ends[last - 1] - starts[first])
        bars.append(Slice(lane, name, (int(starts[first]) - origin) / SECOND, length / SECOND))
    return bars
