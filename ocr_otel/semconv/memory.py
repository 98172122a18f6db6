"""Metrics of the memory that PyTorch manages on a device."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute, event, resource_metric

_TORCH: Final = "By `device`; where PyTorch uses one."
_CACHING: Final = "By `device`; where PyTorch's caching allocator serves it."

attribute("device", "string", "PyTorch's name of the device, such as `cuda:0`.", "Metrics of PyTorch's memory.")

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

OUT_OF_MEMORY: Final = event(
    "torch.out_of_memory",
    "Memory ran out: what the allocator counted, and what held most of it.",
    "On `fit` and the other entries that it ended.",
)
OOM_PREFIX: Final = "torch.out_of_memory."


def _oom(name: str, kind: str, meaning: str, unit: str = "") -> str:
    return attribute(OOM_PREFIX + name, kind, meaning, f"The event `{OUT_OF_MEMORY}`, where it is known.", unit)


OOM_DEVICE: Final = _oom("device", "string", "The device whose memory ran out.")
OOM_REQUESTED: Final = _oom("requested", "int", "What was asked for.", "By")
OOM_FREE: Final = _oom("free", "int", "What the device had free.", "By")
OOM_TOTAL: Final = _oom("total", "int", "The device's memory.", "By")
OOM_ALLOCATED: Final = _oom("allocated", "int", "Memory of live tensors.", "By")
OOM_RESERVED: Final = _oom("reserved", "int", "Memory held by the allocator.", "By")
OOM_INACTIVE: Final = _oom("inactive_split", "int", "Free pieces of blocks that are partly in use.", "By")
OOM_PARAMETERS: Final = _oom("parameters", "int", "Held by the module's parameters and buffers.", "By")
OOM_GRADIENTS: Final = _oom("gradients", "int", "Held by their gradients.", "By")
OOM_OPTIMIZERS: Final = _oom("optimizers", "int", "Held by the state of the optimisers.", "By")
OOM_OTHER: Final = _oom("other", "int", "Live tensors beside those: activations, batches, caches.", "By")
OOM_LARGEST: Final = _oom("largest", "string[]", "The largest live tensors, as type, shape and size.")
OOM_RESIDENT: Final = _oom("resident", "int", "Resident memory of the process, where the host's memory ran out.", "By")
OOM_SNAPSHOT: Final = _oom("snapshot", "string", "File name of the snapshot, for pytorch.org/memory_viz.")
