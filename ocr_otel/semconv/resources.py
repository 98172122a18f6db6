"""Metrics of devices, processes and hosts: what dashboards and alert rules read beside the training's own.

The names of the OpenTelemetry conventions are spelled here once more because dashboards and rules are made from this
package alone; a test compares them with `opentelemetry.semconv`. Those of the host come from the Collector's
`hostmetrics` receiver.
"""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import foreign_metric

_GPU: Final = "By `hw.id`; where a GPU is read."
_TORCH: Final = "By `device`; where PyTorch uses one."
_HOST: Final = "From the Collector's `hostmetrics` receiver."

GPU_UTILIZATION: Final = foreign_metric(
    "hw.gpu.utilization", "gauge", "1", "Share of time in which a kernel ran.", "By `hw.id` and `hw.gpu.task`."
)
GPU_MEMORY_USAGE: Final = foreign_metric("hw.gpu.memory.usage", "updowncounter", "By", "Device memory in use.", _GPU)
GPU_MEMORY_LIMIT: Final = foreign_metric("hw.gpu.memory.limit", "updowncounter", "By", "Size of device memory.", _GPU)
GPU_IO: Final = foreign_metric("hw.gpu.io", "counter", "By", "Bytes over the bus.", "By `hw.id` and direction.")
GPU_POWER: Final = foreign_metric("hw.power", "gauge", "W", "Power drawn.", "By `hw.id` and `hw.type`.")
GPU_ENERGY: Final = foreign_metric("hw.energy", "counter", "J", "Energy used.", "By `hw.id` and `hw.type`.")
GPU_TEMPERATURE: Final = foreign_metric("hw.temperature", "gauge", "Cel", "Temperature.", "By `hw.id` and `hw.type`.")
GPU_ERRORS: Final = foreign_metric(
    "hw.errors", "counter", "{error}", "ECC and Xid errors.", "By `hw.id`, `hw.type` and `error.type`."
)
GPU_THROTTLED: Final = foreign_metric(
    "training.gpu.throttled", "gauge", "", "1 while the clock is held down.", "By `hw.id` and `reason`."
)
TORCH_ALLOCATED: Final = foreign_metric("torch.memory.allocated", "gauge", "By", "Memory of live tensors.", _TORCH)
TORCH_RESERVED: Final = foreign_metric("torch.memory.reserved", "gauge", "By", "Memory held by the allocator.", _TORCH)
TORCH_OOMS: Final = foreign_metric("torch.memory.ooms", "counter", "{error}", "Out-of-memory errors.", _TORCH)
STRAGGLER_DELAY: Final = foreign_metric(
    "training.straggler.delay", "gauge", "s", "How much later than the median rank this rank arrives.", "By rank."
)
PROCESS_MEMORY: Final = foreign_metric(
    "process.memory.usage", "updowncounter", "By", "Resident memory of the training process.", "Where it is read."
)
PROCESS_CPU: Final = foreign_metric(
    "process.cpu.utilization", "gauge", "1", "CPU time of the training process; 1 is one CPU.", "Where it is read."
)
PROCESS_DISK_IO: Final = foreign_metric(
    "process.disk.io", "counter", "By", "Bytes that the training process reads and writes.", "By `disk.io.direction`."
)
HOST_CPU_UTILIZATION: Final = foreign_metric("system.cpu.utilization", "gauge", "1", "CPU in use, by state.", _HOST)
HOST_MEMORY_UTILIZATION: Final = foreign_metric(
    "system.memory.utilization", "gauge", "1", "Memory in use, by state.", _HOST
)
HOST_FILESYSTEM_UTILIZATION: Final = foreign_metric(
    "system.filesystem.utilization", "gauge", "1", "Share of a file system in use.", _HOST
)
HOST_DISK_IO: Final = foreign_metric("system.disk.io", "counter", "By", "Bytes read and written.", _HOST)
HOST_NETWORK_IO: Final = foreign_metric("system.network.io", "counter", "By", "Bytes received and sent.", _HOST)
