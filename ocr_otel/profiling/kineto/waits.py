"""Where the host stood still for the device, and which code asked for it."""

from __future__ import annotations

from typing import Final

import numpy as np

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.columns import Category
from ocr_otel.profiling.kineto.context import Context
from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.sites import Sites
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Synchronization

_TOP: Final = 20


def waiting(window: Window) -> Integers:
    """Return the calls in `host` that stood still: synchronisations, and copies from and to pageable memory."""
    index = window.runtime
    if not len(index):
        return index
    synchronize = window.named(_synchronizes)[window.host_names[index]]
    copies = window.on_device(Category.COPY) & window.named(_is_pageable)[window.columns.name[window.device]]
    blocking = window.launch[copies & (window.launch != NONE)]
    return index[synchronize | np.isin(index, blocking)]


def synchronizations(window: Window, context: Context, sites: Sites) -> tuple[Synchronization, ...]:
    """Return where the host waited for the device, the longest first."""
    calls = waiting(window)
    if not len(calls):
        return ()
    found: dict[tuple[str, str], list[float]] = {}
    lengths = ((window.host.end - window.host.start)[calls] / SECOND).tolist()
    names = [window.name(number) for number in window.host_names[calls]]
    for name, site, place, length in zip(names, sites.of(calls), context.of(calls), lengths, strict=True):
        sums = found.setdefault((name, f"{place} ({site})" if site and place else site or place), [0, 0.0])
        sums[0] += 1
        sums[1] += length
    rows = [Synchronization(name, site, int(count), spent) for (name, site), (count, spent) in found.items()]
    return tuple(sorted(rows, key=lambda each: -each.seconds)[:_TOP])


def _synchronizes(name: str) -> bool:
    return bool(naming.SYNCHRONIZE.search(name))


def _is_pageable(name: str) -> bool:
    return naming.copy(name)[1] == "pageable"
