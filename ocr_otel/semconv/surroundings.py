"""Attributes that say what devices, processes and I/O did in the time of an epoch or of a slow batch."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute

RESOURCE_PREFIX: Final = "training.resources."
SLOW_PREFIX: Final = "training.slow."

_EPOCHS: Final = "Epochs and validations, where it is read."
_SLOW: Final = "Slow batches in whose time it was different."


def _epoch(name: str, unit: str, meaning: str) -> str:
    return attribute(RESOURCE_PREFIX + name, "double", meaning, _EPOCHS, unit)


def _slow(name: str, unit: str, meaning: str) -> str:
    attribute(f"{SLOW_PREFIX}{name}.median", "double", f"{meaning} The epoch's median.", _SLOW, unit)
    return attribute(SLOW_PREFIX + name, "double", meaning, _SLOW, unit)


GPU_USED_MEAN: Final = _epoch("gpu.utilization.mean", "1", "Mean share of time in which the GPUs ran kernels.")
GPU_USED_P95: Final = _epoch("gpu.utilization.p95", "1", "95th percentile of the samples of that share.")
GPU_MEMORY_MAX: Final = _epoch("gpu.memory.max", "By", "Most device memory in use on one GPU.")
GPU_POWER_MEAN: Final = _epoch("gpu.power.mean", "W", "Mean power of a GPU.")
GPU_HELD_DOWN: Final = _epoch("gpu.throttled", "1", "Share of the samples in which the clock was held down.")
TORCH_ALLOCATED_MAX: Final = _epoch("torch.allocated.max", "By", "Most memory of live tensors that was read.")
MAIN_CPU: Final = _epoch("process.cpu", "{cpu}", "CPUs that the training process kept busy.")
WORKERS_CPU: Final = _epoch("workers.cpu", "{cpu}", "CPUs that the dataloader workers kept busy, together.")
MAIN_MEMORY_MAX: Final = _epoch("process.memory.max", "By", "Most resident memory of the training process.")
WORKERS_MEMORY_MAX: Final = _epoch(
    "workers.memory.max",
    "By",
    "Most resident memory of the dataloader workers together; what they share counts twice.",
)
READ_REQUESTED: Final = _epoch("io.requested", "By/s", "Bytes a second that the run's processes asked to read.")
READ_DEVICE: Final = _epoch("io.read", "By/s", "Bytes a second that devices delivered to the run's processes.")
READ_BY_SAMPLE: Final = _epoch("io.by_sample", "By/{sample}", "Bytes asked to read for each sample.")
CACHE_SHARE: Final = _epoch("page_cache.share", "1", "Share of the bytes asked to read that no device had to deliver.")
PRESSURE_IO: Final = _epoch("pressure.io", "1", "Share of the time in which some task waited for I/O.")
PRESSURE_CPU: Final = _epoch("pressure.cpu", "1", "Share of the time in which some task waited for a CPU.")
PRESSURE_MEMORY: Final = _epoch("pressure.memory", "1", "Share of the time in which some task waited for memory.")
CPU_HELD_BACK: Final = _epoch("cgroup.throttled", "{cpu}", "CPUs that the cgroup's quota held back.")
SWAPPED: Final = _epoch("swapped", "{operation}/s", "Pages a second that the host moved in from swap and out to it.")

SLOW_GPU: Final = _slow("gpu.utilization", "1", "Share of time in which the GPUs ran kernels.")
SLOW_GPU_HELD_DOWN: Final = _slow("gpu.throttled", "1", "Share of samples in which the clock was held down.")
SLOW_READ: Final = _slow("io.read", "By/s", "Bytes a second that devices delivered to the run's processes.")
SLOW_PRESSURE_IO: Final = _slow("pressure.io", "1", "Share of the time in which some task waited for I/O.")
SLOW_PRESSURE_CPU: Final = _slow("pressure.cpu", "1", "Share of the time in which some task waited for a CPU.")
SLOW_PRESSURE_MEMORY: Final = _slow("pressure.memory", "1", "Share of the time in which some task waited for memory.")
SLOW_CPU_HELD_BACK: Final = _slow("cgroup.throttled", "{cpu}", "CPUs that the cgroup's quota held back.")
SLOW_SWAPPED: Final = _slow("swapped", "{operation}/s", "Pages a second moved in from swap and out to it.")
SLOW_REASONS: Final = attribute(
    f"{SLOW_PREFIX}reasons",
    "string[]",
    "What was different in its time: gpu_fell, gpu_throttled, io_rose, io_pressure, cpu_pressure, memory_pressure, "
    "cpu_throttled, swapped.",
    "Slow batches, where anything was.",
)

MEMORY_GROWTH: Final = attribute(
    "training.memory.growth",
    "double",
    "Growth of the training process's resident memory by epoch: a leak.",
    "`fit`, where memory grows steadily.",
    "By",
)
