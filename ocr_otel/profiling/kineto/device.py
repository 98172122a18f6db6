"""What the device did: kernels, copies, and the times in which there was nothing for it to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.columns import Category
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Device, Kernel, Transfer

_TOP: Final = 20
_MAX_NAME: Final = 160
_HOST_COPIES: Final = ("HtoD", "DtoH")


def device(window: Window) -> Device | None:
    """Return what the device did; None where the trace has none."""
    if not len(window.device):
        return None
    names = window.columns.name[window.device]
    kernels = window.on_device(Category.KERNEL)
    collectives = kernels & window.named(naming.is_collective_kernel)[names]
    own = kernels & ~collectives
    computes = window.named(_computing)[names]
    seconds = window.columns.duration[window.device] / SECOND
    busy, computing, communicating = window.busy(), window.busy(own), window.busy(collectives)
    copies = window.busy(window.on_device(Category.COPY) & window.named(_between_host_and_device)[names])
    idle = busy.free(window.begin, window.end)
    return Device(
        name=_device_name(window),
        busy=busy.total / SECOND,
        idle=idle.total / SECOND,
        idle_periods=len(idle),
        computing=computing.total / SECOND,
        kernels=int(own.sum()),
        kernel_mean=float(seconds[own].mean()) if own.any() else 0.0,
        compute_bound=float(seconds[own & (computes == 1)].sum()),
        memory_bound=float(seconds[own & (computes == 0)].sum()),
        communicating=communicating.total / SECOND,
        exposed_communication=communicating.without(computing).without(copies).total / SECOND,
        transferring=copies.total / SECOND,
        exposed_transfer=copies.without(computing).without(communicating).total / SECOND,
    )


def kernels(window: Window) -> tuple[Kernel, ...]:
    """Return the costliest kernels."""
    places = window.device[window.on_device(Category.KERNEL)]
    if not len(places):
        return ()
    numbers, group = np.unique(window.columns.name[places], return_inverse=True)
    seconds = np.bincount(group, weights=window.columns.duration[places]) / SECOND
    calls = np.bincount(group)
    busy = window.busy().total / SECOND or 1.0
    return tuple(
        Kernel(
            window.name(numbers[place])[:_MAX_NAME],
            int(calls[place]),
            float(seconds[place]),
            float(seconds[place] / busy),
        )
        for place in np.argsort(-seconds)[:_TOP].tolist()
    )


def transfers(window: Window) -> tuple[Transfer, ...]:
    """Return the copies by direction and by the host's memory, the longest first."""
    places = window.device[window.on_device(Category.COPY)]
    counts = np.maximum(window.trace.bytes.of(places), 0)
    seconds = window.columns.duration[places] / SECOND
    found: dict[tuple[str, str], list[float]] = {}
    for number in np.unique(window.columns.name[places]):
        mine = window.columns.name[places] == number
        sums = found.setdefault(naming.copy(window.name(number)), [0, 0, 0.0])
        sums[0] += int(mine.sum())
        sums[1] += int(counts[mine].sum())
        sums[2] += float(seconds[mine].sum())
    rows = [Transfer(*kind, int(calls), int(count), spent) for kind, (calls, count, spent) in found.items()]
    return tuple(sorted(rows, key=lambda each: -each.seconds))


def _computing(name: str) -> int:
    """Return 1 for kernels that compute, 0 for those that only move memory, -1 for what cannot be told."""
    computes = naming.kernel_computes(name)
    return -1 if computes is None else int(computes)


def _between_host_and_device(name: str) -> bool:
    return naming.copy(name)[0] in _HOST_COPIES


def _device_name(window: Window) -> str:
    properties: Any = window.trace.metadata.get("deviceProperties")
    if not isinstance(properties, list):
        return ""
    for each in properties:
        if isinstance(each, Mapping) and each.get("id") == window.device_number:
            return str(each.get("name", ""))[:_MAX_NAME]
    return ""
