"""Metrics of GPUs, under the names of the OpenTelemetry hardware conventions where there are any.

The names of the conventions are spelled here once more because dashboards and rules are made from this package alone;
a test compares them with `opentelemetry.semconv`.
"""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute, event, resource_metric

_GPU: Final = "By `hw.id`; where a GPU is read and tells it."
_NO_INSTANCE: Final = "By `hw.id`; not of a MIG instance, for the driver tells it of whole GPUs only."

GPU_UTILIZATION: Final = resource_metric(
    "hw.gpu.utilization",
    "gauge",
    "1",
    "Share of time in which a kernel ran, or in which the encoder or decoder was at work.",
    "By `hw.id` and `hw.gpu.task`: general (kernels), encoder, decoder; not of a MIG instance.",
)
GPU_UTILIZATION_MAX: Final = resource_metric(
    "training.gpu.utilization.max",
    "gauge",
    "1",
    "Highest sample of `hw.gpu.utilization` since the last export.",
    "By `hw.id` and `hw.gpu.task`, as `hw.gpu.utilization`.",
)
GPU_UTILIZATION_DISTRIBUTION: Final = resource_metric(
    "training.gpu.utilization.distribution",
    "histogram",
    "1",
    "All samples of the share of time in which a kernel ran, about one a second.",
    _NO_INSTANCE,
)
GPU_MEMORY_CONTROLLER_UTILIZATION: Final = resource_metric(
    "training.gpu.memory_controller.utilization",
    "gauge",
    "1",
    "Share of time in which device memory was read or written; `hw.gpu.memory.utilization` is about its size.",
    _NO_INSTANCE,
)
GPU_MEMORY_USAGE: Final = resource_metric("hw.gpu.memory.usage", "updowncounter", "By", "Device memory in use.", _GPU)
GPU_MEMORY_LIMIT: Final = resource_metric("hw.gpu.memory.limit", "updowncounter", "By", "Size of device memory.", _GPU)
GPU_MEMORY_FREE: Final = resource_metric("training.gpu.memory.free", "gauge", "By", "Device memory free.", _GPU)
GPU_MEMORY_RESERVED: Final = resource_metric(
    "training.gpu.memory.reserved",
    "gauge",
    "By",
    "Device memory that the driver and the firmware keep for themselves.",
    "By `hw.id`; older drivers count it as in use instead.",
)
GPU_PROCESS_MEMORY: Final = resource_metric(
    "training.gpu.process.memory",
    "gauge",
    "By",
    "Device memory by whose process it is: the training's, its children's (`worker`), or anybody else's (`other`).",
    "By `hw.id` and `training.process.role`; where the driver tells which processes compute, and which of them is this "
    "one, as it does not in every container.",
)
GPU_IO: Final = resource_metric(
    "hw.gpu.io",
    "counter",
    "By",
    "Bytes over the PCIe bus, from the GPU's side.",
    "By `hw.id` and `network.io.direction`; from zero when the recording began; where the driver counts them.",
)
GPU_NVLINK_IO: Final = resource_metric(
    "training.gpu.nvlink.io",
    "counter",
    "By",
    "Bytes of data over all NVLinks of the GPU, from the GPU's side.",
    "By `hw.id` and `network.io.direction`; from zero when the recording began; where there is NVLink.",
)
GPU_POWER: Final = resource_metric("hw.power", "gauge", "W", "Power drawn.", "By `hw.id` and `hw.type`.")
GPU_POWER_LIMIT: Final = resource_metric(
    "training.gpu.power.limit", "gauge", "W", "Power at which the GPU slows itself down.", _NO_INSTANCE
)
GPU_ENERGY: Final = resource_metric(
    "hw.energy", "counter", "J", "Energy used.", "By `hw.id` and `hw.type`; since the driver was loaded."
)
GPU_TEMPERATURE: Final = resource_metric(
    "hw.temperature",
    "gauge",
    "Cel",
    "Temperature.",
    "By `hw.id`, `hw.type` and `hw.sensor_location`: gpu, and memory where it has a sensor.",
)
GPU_CLOCK: Final = resource_metric(
    "training.gpu.clock",
    "gauge",
    "Hz",
    "Clock rate.",
    "By `hw.id` and `training.gpu.clock.domain`; not of a MIG instance.",
)
GPU_ERRORS: Final = resource_metric(
    "hw.errors",
    "counter",
    "{error}",
    "ECC and Xid errors, and the GPU's loss.",
    "By `hw.id`, `hw.type` and `error.type`: ecc_corrected and ecc_uncorrected since the driver was loaded; xid_<n> of "
    "the known ones, xid_other, and lost since the recording began.",
)
GPU_THROTTLED: Final = resource_metric(
    "training.gpu.throttled", "gauge", "", "1 while the clock is held down.", "By `hw.id` and `reason`."
)
attribute("reason", "string", "Why the clock of a GPU is held down.", "`training.gpu.throttled`.")

GPU_CLOCK_DOMAIN: Final = attribute(
    "training.gpu.clock.domain", "string", "Which clock: sm or memory.", "On `training.gpu.clock`."
)
GPU_XID: Final = attribute(
    "training.gpu.xid", "int", "Number of an Xid error, as in NVIDIA's list.", "On `training.gpu.error`."
)
GPU_ERROR: Final = event(
    "training.gpu.error",
    "The driver reported an error of a GPU (Xid), or the GPU is lost.",
    "When it is reported; with `hw.id`, `error.type`, and `training.gpu.xid` where it is an Xid.",
)
