"""PyTorch's operators, added up over their calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.sites import Sites
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Operator

_TOP: Final = 24
_TELLING: Final = ("aten::item", "aten::_local_scalar_dense", "aten::copy_", "aten::_to_copy")
"""Operators that are told of however little time they took: their number is what matters."""
_MAX_SHAPES: Final = 160


@dataclass(frozen=True, slots=True)
class _Times:
    """Times of each event in `host`; those of the device are 0 for all but operators and what is around them."""

    self_cpu: NDArray[np.float64]
    total_cpu: NDArray[np.float64]
    self_device: NDArray[np.float64]
    total_device: NDArray[np.float64]


def operators(window: Window, sites: Sites) -> tuple[Operator, ...]:
    """Return the costliest operators by their own time: on the device where there is one, else on the host."""
    index = window.operators
    if not len(index):
        return ()
    times = _times(window)
    numbers, group = np.unique(window.host_names[index], return_inverse=True)
    calls = np.bincount(group)
    self_cpu, total_cpu, self_device, total_device = (
        np.bincount(group, weights=each[index]) / SECOND
        for each in (times.self_cpu, times.total_cpu, times.self_device, times.total_device)
    )
    memory = _memory(window, group, len(numbers))
    flops = window.trace.flops.of(window.host.places[index])
    cost = self_device if len(window.device) else self_cpu
    whole = cost.sum() or 1.0
    names = [window.name(number) for number in numbers]
    chosen = set(np.argsort(-cost)[:_TOP].tolist()) | set(np.argsort(-self_cpu)[: _TOP // 2].tolist())
    chosen |= {place for place, name in enumerate(names) if name in _TELLING}
    own = times.self_device if len(window.device) else times.self_cpu
    found = []
    for place in sorted(chosen, key=lambda place: (-cost[place], -self_cpu[place])):
        members = index[group == place]
        costliest = members[np.argsort(-own[members])[:50]]
        found.append(
            Operator(
                name=names[place],
                calls=int(calls[place]),
                self_cpu=float(self_cpu[place]),
                total_cpu=float(total_cpu[place]),
                self_device=float(self_device[place]),
                total_device=float(total_device[place]),
                share=float(cost[place] / whole),
                memory=None if memory is None else int(memory[place]),
                flops=int(counted.sum()) if len(counted := _known(flops[group == place])) else None,
                shapes=_shapes(window, costliest),
                call_site=sites.most(costliest),
            )
        )
    return tuple(found)


def _times(window: Window) -> _Times:
    host = window.host
    launched = np.zeros(len(host))
    known = window.launcher != NONE
    np.add.at(launched, window.launcher[known], window.columns.duration[window.device[known]])
    return _Times(
        self_cpu=host.own_time().astype(np.float64),
        total_cpu=(host.end - host.start).astype(np.float64),
        self_device=launched,
        total_device=host.summed(launched),
    )


def _memory(window: Window, group: Integers, count: int) -> NDArray[np.float64] | None:
    allocations = window.trace.allocations
    if not len(allocations.at):
        return None
    inside = window.host.innermost(allocations.thread, allocations.at)
    operator = np.where(inside == NONE, NONE, window.operator_around[inside])
    # Where there is a device, its memory is what runs short.
    known = (operator != NONE) & (allocations.on_device == allocations.on_device.any())
    places = np.searchsorted(window.operators, operator[known])
    weights = allocations.bytes[known].astype(np.float64)
    memory: NDArray[np.float64] = np.bincount(group[places], weights=weights, minlength=count).astype(np.float64)
    return memory


def _known(values: Integers) -> Integers:
    return values[values >= 0]


def _shapes(window: Window, members: Integers) -> str:
    numbers = _known(window.trace.shapes.of(window.host.places[members]))
    if not len(numbers):
        return ""
    return window.trace.texts[int(numbers[0])][:_MAX_SHAPES]
