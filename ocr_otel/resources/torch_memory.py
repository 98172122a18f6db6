"""Memory that PyTorch manages on its devices: CUDA and ROCm, XPU, MPS."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import torch

from ocr_otel import semconv
from ocr_otel.resources.readings import Reading, Unavailable, series

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
    match _kind():
        case "cuda":
            return _of("cuda", torch.cuda)
        case "xpu":
            return _of("xpu", torch.xpu)
        case "mps":
            return {
                "mps": {
                    "allocated_bytes.all.current": torch.mps.current_allocated_memory(),
                    "reserved_bytes.all.current": torch.mps.driver_allocated_memory(),
                }
            }
    return {}


def _kind() -> str:
    """Return the kind of device whose memory PyTorch manages here; empty without one."""
    xpu = getattr(torch, "xpu", None)
    present = {
        "cuda": torch.cuda.is_available,
        "xpu": xpu.is_available if xpu is not None else lambda: False,
        "mps": torch.backends.mps.is_available,
    }
    return next((kind for kind, is_available in present.items() if is_available()), "")


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

    def open(self) -> None:
        """See `Source`."""
        if self._statistics is statistics and not _kind():
            raise Unavailable("PyTorch has no device here whose memory it manages")

    def read(self) -> Iterable[Reading]:
        """See `Source`."""
        for device, counted in self._statistics().items():
            for metric, key in _CURRENT.items():
                if key in counted:
                    yield series(metric, device=device), counted[key]
            reserved = counted.get("reserved_bytes.all.current", 0)
            if reserved and "inactive_split_bytes.all.current" in counted:
                yield (
                    series(semconv.TORCH_FRAGMENTATION, device=device),
                    counted["inactive_split_bytes.all.current"] / reserved,
                )

    def close(self) -> None:
        """See `Source`."""
