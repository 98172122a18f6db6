"""Memory that PyTorch manages on its devices: CUDA and ROCm, XPU, MPS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch

from ocr_otel import semconv
from ocr_otel.resources.readings import Reading, Series, Unavailable, series

Statistics = Mapping[str, int]
"""What an allocator counts, under the names of `torch.cuda.memory_stats`; those that it does not know are missing."""

_CURRENT: Final = {
    semconv.TORCH_ALLOCATED: "allocated_bytes.all.current",
    semconv.TORCH_RESERVED: "reserved_bytes.all.current",
    semconv.TORCH_PEAK: "allocated_bytes.all.peak",
    semconv.TORCH_ACTIVE: "active_bytes.all.current",
    semconv.TORCH_INACTIVE_SPLIT: "inactive_split_bytes.all.current",
    semconv.TORCH_ALLOC_RETRIES: "num_alloc_retries",
    semconv.TORCH_OOMS: "num_ooms",
}


def statistics() -> dict[str, Statistics]:
    """Return what the allocator of each device in use counts, by device; nothing where no device is in use."""
    if torch.cuda.is_available():
        return _of("cuda", torch.cuda)
    xpu = getattr(torch, "xpu", None)
    if xpu is not None and xpu.is_available():
        return _of("xpu", xpu)
    if torch.backends.mps.is_available():
        return {
            "mps": {
                "allocated_bytes.all.current": torch.mps.current_allocated_memory(),
                "reserved_bytes.all.current": torch.mps.driver_allocated_memory(),
            }
        }
    return {}


def _of(kind: str, module: Any) -> dict[str, Statistics]:
    # Asking an accelerator that was not started would start it, in this thread and before the training does.
    if not module.is_initialized():
        return {}
    found = {f"{kind}:{index}": module.memory_stats(index) for index in range(module.device_count())}
    return {device: counted for device, counted in found.items() if counted.get("reserved_bytes.all.peak")}


class TorchMemory:
    """A source of readings.

    Args:
        statistics: Returns what the allocators count; replaced in tests.
    """

    name = "torch_memory"

    def __init__(self, statistics: Callable[[], dict[str, Statistics]] = statistics) -> None:
        self._statistics = statistics
        self._series: dict[tuple[str, str], Series] = {}

    def open(self) -> None:
        """See `Source`."""
        xpu = getattr(torch, "xpu", None)
        if self._statistics is statistics and not (
            torch.cuda.is_available() or (xpu is not None and xpu.is_available()) or torch.backends.mps.is_available()
        ):
            raise Unavailable("PyTorch has no device here whose memory it manages")

    def read(self) -> Iterable[Reading]:
        """See `Source`."""
        for device, counted in self._statistics().items():
            for metric, key in _CURRENT.items():
                if key in counted:
                    yield self._of(metric, device), counted[key]
            reserved = counted.get("reserved_bytes.all.current", 0)
            if reserved and "inactive_split_bytes.all.current" in counted:
                yield (
                    self._of(semconv.TORCH_FRAGMENTATION, device),
                    counted["inactive_split_bytes.all.current"] / reserved,
                )

    def close(self) -> None:
        """See `Source`."""

    def _of(self, metric: str, device: str) -> Series:
        key = metric, device
        if key not in self._series:
            self._series[key] = series(metric, device=device)
        return self._series[key]
