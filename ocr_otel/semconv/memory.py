"""Metrics of the memory that PyTorch manages on a device."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import resource_metric

_TORCH: Final = "By `device`; where PyTorch uses one."
_CACHING: Final = "By `device`; where PyTorch's caching allocator serves it."

TORCH_ALLOCATED: Final = resource_metric("torch.memory.allocated", "gauge", "By", "Memory of live tensors.", _TORCH)
TORCH_RESERVED: Final = resource_metric("torch.memory.reserved", "gauge", "By", "Memory held by the allocator.", _TORCH)
TORCH_PEAK: Final = resource_metric(
    "torch.memory.allocated.peak",
    "gauge",
    "By",
    "Most memory of live tensors since the epoch began, or since the last one who asked PyTorch to reset its peaks.",
    _TORCH,
)
TORCH_ACTIVE: Final = resource_metric(
    "torch.memory.active", "gauge", "By", "Memory of live tensors and of what still waits for its stream.", _CACHING
)
TORCH_INACTIVE_SPLIT: Final = resource_metric(
    "torch.memory.inactive_split",
    "gauge",
    "By",
    "Free pieces of blocks that are partly in use: they cannot be given back to the device.",
    _CACHING,
)
TORCH_FRAGMENTATION: Final = resource_metric(
    "torch.memory.fragmentation", "gauge", "1", "Inactive split memory over reserved memory.", _CACHING
)
TORCH_ALLOC_RETRIES: Final = resource_metric(
    "torch.memory.alloc_retries",
    "counter",
    "{retry}",
    "Allocations that succeeded only after the cache was emptied, which synchronises the device.",
    _CACHING,
)
TORCH_OOMS: Final = resource_metric("torch.memory.ooms", "counter", "{error}", "Out-of-memory errors.", _CACHING)
