"""Metrics of GPUs, under the names of the OpenTelemetry hardware conventions where there are any.

The names of the conventions are spelled here once more because dashboards and rules are made from this package alone;
a test compares them with `opentelemetry.semconv`.
"""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import resource_metric

_GPU: Final = "By `hw.id`; where a GPU is read."

GPU_UTILIZATION: Final = resource_metric(
    "hw.gpu.utilization", "gauge", "1", "Share of time in which a kernel ran.", "By `hw.id` and `hw.gpu.task`."
)
GPU_MEMORY_USAGE: Final = resource_metric("hw.gpu.memory.usage", "updowncounter", "By", "Device memory in use.", _GPU)
GPU_MEMORY_LIMIT: Final = resource_metric("hw.gpu.memory.limit", "updowncounter", "By", "Size of device memory.", _GPU)
GPU_IO: Final = resource_metric("hw.gpu.io", "counter", "By", "Bytes over the bus.", "By `hw.id` and direction.")
GPU_POWER: Final = resource_metric("hw.power", "gauge", "W", "Power drawn.", "By `hw.id` and `hw.type`.")
GPU_ENERGY: Final = resource_metric("hw.energy", "counter", "J", "Energy used.", "By `hw.id` and `hw.type`.")
GPU_TEMPERATURE: Final = resource_metric("hw.temperature", "gauge", "Cel", "Temperature.", "By `hw.id` and `hw.type`.")
GPU_ERRORS: Final = resource_metric(
    "hw.errors", "counter", "{error}", "ECC and Xid errors.", "By `hw.id`, `hw.type` and `error.type`."
)
GPU_THROTTLED: Final = resource_metric(
    "training.gpu.throttled", "gauge", "", "1 while the clock is held down.", "By `hw.id` and `reason`."
)
