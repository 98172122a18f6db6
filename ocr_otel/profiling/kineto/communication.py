"""Collectives between ranks, and how much of them hides behind computing."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Final

import numpy as np

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.columns import Category
from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import Integers
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Communication

_KERNEL: Final = re.compile(r"(?:Dev)?Kernel_(?P<name>[A-Za-z]+?)(?:Ring|Tree|_|\(|$)")
_WORDS: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


def communication(window: Window) -> tuple[Communication, ...]:
    """Return the collectives, the longest first: their kernels, or without a device their time on the host."""
    found = _on_device(window) if len(window.device) else _on_host(window)
    return tuple(sorted(found, key=lambda each: -each.seconds))


def _on_device(window: Window) -> list[Communication]:
    names = window.columns.name[window.device]
    kernels = window.on_device(Category.KERNEL)
    collectives = kernels & window.named(naming.is_collective_kernel)[names]
    computing = window.busy(kernels & ~collectives)
    grouped: dict[str, list[int]] = defaultdict(list)
    for number in np.unique(names[collectives]):
        grouped[_collective(window.name(number))].append(int(number))
    found = []
    for name, numbers in grouped.items():
        mine = collectives & np.isin(names, numbers)
        found.append(_summed(window, name, window.device[mine], window.busy(mine), computing))
    return found


def _on_host(window: Window) -> list[Communication]:
    ranges = window.annotations
    names = window.host_names[ranges]
    grouped: dict[str, list[int]] = defaultdict(list)
    for number in np.unique(names):
        if collective := naming.collective(window.name(number)):
            grouped[collective].append(int(number))
    found = []
    for name, numbers in grouped.items():
        mine = ranges[np.isin(names, numbers)]
        times = union(window.host.start[mine], window.host.end[mine]).clipped(window.begin, window.end)
        found.append(_summed(window, name, window.host.places[mine], times, _elsewhere(window, mine)))
    return found


def _elsewhere(window: Window, collectives: Integers) -> Intervals:
    """Return when operators that compute ran on other threads than those of some collectives."""
    threads = np.unique(window.host_threads[collectives])
    others = window.operators[~np.isin(window.host_threads[window.operators], threads)]
    others = others[window.named(_computes)[window.host_names[others]]]
    return union(window.host.start[others], window.host.end[others])


def _computes(name: str) -> bool:
    return name.startswith("aten::")


def _summed(window: Window, name: str, places: Integers, times: Intervals, computing: Intervals) -> Communication:
    sizes = window.trace.bytes.of(places)
    return Communication(
        name=name,
        calls=len(places),
        bytes=int(sizes[sizes >= 0].sum()) if (sizes >= 0).any() else None,
        seconds=times.total / SECOND,
        overlapped=times.shared(computing) / SECOND,
    )


def _collective(kernel: str) -> str:
    """Return the collective of a kernel: `ncclDevKernel_AllReduce_Sum_f32_RING_LL` is `all_reduce`."""
    found = _KERNEL.search(kernel)
    return _WORDS.sub("_", found["name"]).lower() if found else kernel.partition("(")[0][:80]
