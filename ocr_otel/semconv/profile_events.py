"""What a window of the profiler showed: the events of its span, and their attributes."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute, event

PROFILE_HOST_EVENT: Final = event("profile.host", "What the host did in the window.", "`profile`, once.")
PROFILE_DEVICE_EVENT: Final = event(
    "profile.device", "What the device did in the window.", "`profile`, once, where the window has a device."
)
PROFILE_PHASE_EVENT: Final = event(
    "profile.phase", "A part of the batches: fetch, transfer, forward, backward, optimiser, callbacks.", "`profile`."
)
PROFILE_OPERATOR_EVENT: Final = event(
    "profile.operator", "One of the costliest PyTorch operators, added up over its calls.", "`profile`, up to twelve."
)
PROFILE_KERNEL_EVENT: Final = event(
    "profile.kernel", "One of the costliest kernels of the device.", "`profile`, up to eight."
)
PROFILE_TRANSFER_EVENT: Final = event(
    "profile.transfer", "Copies of one direction and kind of memory.", "`profile`, up to six."
)
PROFILE_SYNCHRONIZATION_EVENT: Final = event(
    "profile.synchronization", "A place at which the host stood still for the device.", "`profile`, up to eight."
)
PROFILE_GAP_EVENT: Final = event(
    "profile.gap", "One of the longest times in which the device had nothing to do.", "`profile`, up to six."
)
PROFILE_COMMUNICATION_EVENT: Final = event(
    "profile.communication", "A collective, and how much of it computing hid.", "`profile`, up to six."
)
PROFILE_DATALOADER_WAIT_EVENT: Final = event(
    "profile.dataloader_wait", "The time in which the loop waited for data.", "`profile`, once, where it was marked."
)

PROFILE_HOST_OPERATORS: Final = attribute(
    "training.profile.host.operators.duration", "double", "Time with an operator on any thread.", "`profile.host`.", "s"
)
PROFILE_HOST_OPERATOR_CALLS: Final = attribute(
    "training.profile.host.operators.calls",
    "int",
    "Operators, without those that operators called.",
    "`profile.host`.",
    "{call}",
)
PROFILE_HOST_LEAF_MEAN: Final = attribute(
    "training.profile.host.operators.mean",
    "double",
    "Mean duration of the operators that called no other.",
    "`profile.host`.",
    "s",
)
PROFILE_HOST_LAUNCHES: Final = attribute(
    "training.profile.host.launches", "int", "Kernels launched.", "`profile.host`.", "{kernel}"
)
PROFILE_HOST_LAUNCHING: Final = attribute(
    "training.profile.host.launches.duration", "double", "Time spent in launching them.", "`profile.host`.", "s"
)
PROFILE_HOST_WAITING: Final = attribute(
    "training.profile.host.waiting.duration", "double", "Time stood still for the device.", "`profile.host`.", "s"
)

PROFILE_DEVICE_NAME: Final = attribute(
    "training.profile.device.name", "string", "Name of the device.", "`profile.device`, where the trace tells it."
)
PROFILE_DEVICE_BUSY: Final = attribute(
    "training.profile.device.busy.duration", "double", "Time with a kernel or a copy.", "`profile.device`.", "s"
)
PROFILE_DEVICE_IDLE: Final = attribute(
    "training.profile.device.idle.duration", "double", "Time without one.", "`profile.device`.", "s"
)
PROFILE_DEVICE_KERNELS: Final = attribute(
    "training.profile.device.kernels", "int", "Kernels, without collectives.", "`profile.device`.", "{kernel}"
)
PROFILE_DEVICE_KERNEL_MEAN: Final = attribute(
    "training.profile.device.kernels.mean", "double", "Mean duration of one.", "`profile.device`.", "s"
)
PROFILE_DEVICE_TRANSFER_EXPOSED: Final = attribute(
    "training.profile.device.transfer.exposed.duration",
    "double",
    "Time of copies between host and device that no kernel hid.",
    "`profile.device`.",
    "s",
)
PROFILE_DEVICE_COMMUNICATION_EXPOSED: Final = attribute(
    "training.profile.device.communication.exposed.duration",
    "double",
    "Time of collectives that nothing else hid.",
    "`profile.device`.",
    "s",
)

PROFILE_PHASE_NAME: Final = attribute("training.profile.phase.name", "string", "The part.", "`profile.phase`.")
PROFILE_PHASE_DURATION: Final = attribute(
    "training.profile.phase.duration", "double", "Its time on the host.", "`profile.phase`.", "s"
)
PROFILE_PHASE_OPERATORS: Final = attribute(
    "training.profile.phase.operators.duration",
    "double",
    "Part of it in which an operator ran; the rest is Python, or waiting.",
    "`profile.phase`.",
    "s",
)
PROFILE_PHASE_DEVICE: Final = attribute(
    "training.profile.phase.device.duration",
    "double",
    "Time of the kernels and copies launched in it.",
    "`profile.phase`, where the window has a device.",
    "s",
)
PROFILE_PHASE_DEVICE_IDLE: Final = attribute(
    "training.profile.phase.device.idle.duration",
    "double",
    "Part of it in which the device had nothing to do.",
    "`profile.phase`, where the window has a device.",
    "s",
)

PROFILE_OPERATOR_NAME: Final = attribute(
    "training.profile.operator.name", "string", "Name, such as `aten::addmm`.", "`profile.operator`."
)
PROFILE_OPERATOR_CALLS: Final = attribute(
    "training.profile.operator.calls", "int", "Calls.", "`profile.operator`.", "{call}"
)
PROFILE_OPERATOR_SHARE: Final = attribute(
    "training.profile.operator.share",
    "double",
    "Share of all operators' own time: on the device where the window has one, else on the host.",
    "`profile.operator`.",
    "1",
)
PROFILE_OPERATOR_SELF_CPU: Final = attribute(
    "training.profile.operator.self_cpu.duration", "double", "Own time on the host.", "`profile.operator`.", "s"
)
PROFILE_OPERATOR_TOTAL_CPU: Final = attribute(
    "training.profile.operator.total_cpu.duration",
    "double",
    "Time on the host, with what it called.",
    "`profile.operator`.",
    "s",
)
PROFILE_OPERATOR_SELF_DEVICE: Final = attribute(
    "training.profile.operator.self_device.duration",
    "double",
    "Time of the kernels that it launched itself.",
    "`profile.operator`, where the window has a device.",
    "s",
)
PROFILE_OPERATOR_TOTAL_DEVICE: Final = attribute(
    "training.profile.operator.total_device.duration",
    "double",
    "Time of the kernels that it and what it called launched.",
    "`profile.operator`, where the window has a device.",
    "s",
)
PROFILE_OPERATOR_MEMORY: Final = attribute(
    "training.profile.operator.memory",
    "int",
    "Bytes allocated less bytes freed.",
    "`profile.operator`, with `memory` in `OCR_OTEL_PROFILE_DETAILS`.",
    "By",
)
PROFILE_OPERATOR_FLOPS: Final = attribute(
    "training.profile.operator.flops",
    "int",
    "Floating point operations, counted from the shapes of matrix products and convolutions.",
    "`profile.operator`, with `shapes` in `OCR_OTEL_PROFILE_DETAILS`.",
    "{operation}",
)
PROFILE_OPERATOR_SHAPES: Final = attribute(
    "training.profile.operator.shapes",
    "string",
    "Shapes of its inputs in its costliest call.",
    "`profile.operator`, with `shapes` in `OCR_OTEL_PROFILE_DETAILS`.",
)
PROFILE_OPERATOR_CALL_SITE: Final = attribute(
    "training.profile.operator.call_site",
    "string",
    "Line of the training's own code, file's name and number.",
    "`profile.operator`, with `stack` in `OCR_OTEL_PROFILE_DETAILS`.",
)

PROFILE_KERNEL_NAME: Final = attribute("training.profile.kernel.name", "string", "Name, cut.", "`profile.kernel`.")
PROFILE_KERNEL_CALLS: Final = attribute(
    "training.profile.kernel.calls", "int", "Launches.", "`profile.kernel`.", "{call}"
)
PROFILE_KERNEL_DURATION: Final = attribute(
    "training.profile.kernel.duration", "double", "Its time.", "`profile.kernel`.", "s"
)
PROFILE_KERNEL_SHARE: Final = attribute(
    "training.profile.kernel.share", "double", "Share of the device's busy time.", "`profile.kernel`.", "1"
)

PROFILE_TRANSFER_DIRECTION: Final = attribute(
    "training.profile.transfer.direction", "string", "`HtoD`, `DtoH`, `DtoD` or `PtoP`.", "`profile.transfer`."
)
PROFILE_TRANSFER_MEMORY: Final = attribute(
    "training.profile.transfer.memory",
    "string",
    "The host's memory: `pinned`, `pageable` or `unknown`; `device` where none is in it.",
    "`profile.transfer`.",
)
PROFILE_TRANSFER_CALLS: Final = attribute(
    "training.profile.transfer.calls", "int", "Copies.", "`profile.transfer`.", "{call}"
)
PROFILE_TRANSFER_BYTES: Final = attribute(
    "training.profile.transfer.size", "int", "Bytes copied.", "`profile.transfer`.", "By"
)
PROFILE_TRANSFER_DURATION: Final = attribute(
    "training.profile.transfer.duration", "double", "Their time on the device.", "`profile.transfer`.", "s"
)

PROFILE_SYNCHRONIZATION_NAME: Final = attribute(
    "training.profile.synchronization.name", "string", "The call that waited.", "`profile.synchronization`."
)
PROFILE_SYNCHRONIZATION_CALL_SITE: Final = attribute(
    "training.profile.synchronization.call_site",
    "string",
    "What asked for it: operator and part of the batch, and the line of code where stacks were recorded.",
    "`profile.synchronization`.",
)
PROFILE_SYNCHRONIZATION_CALLS: Final = attribute(
    "training.profile.synchronization.calls", "int", "How often.", "`profile.synchronization`.", "{call}"
)
PROFILE_SYNCHRONIZATION_DURATION: Final = attribute(
    "training.profile.synchronization.duration",
    "double",
    "How long the host stood still.",
    "`profile.synchronization`.",
    "s",
)

PROFILE_GAP_HOST: Final = attribute(
    "training.profile.gap.host", "string", "What the host did for most of it.", "`profile.gap`."
)
PROFILE_GAP_START: Final = attribute(
    "training.profile.gap.start", "double", "Since the window's beginning.", "`profile.gap`.", "s"
)
PROFILE_GAP_DURATION: Final = attribute(
    "training.profile.gap.duration", "double", "How long it was.", "`profile.gap`.", "s"
)

PROFILE_COMMUNICATION_NAME: Final = attribute(
    "training.profile.communication.name", "string", "The collective.", "`profile.communication`."
)
PROFILE_COMMUNICATION_CALLS: Final = attribute(
    "training.profile.communication.calls", "int", "How often.", "`profile.communication`.", "{call}"
)
PROFILE_COMMUNICATION_BYTES: Final = attribute(
    "training.profile.communication.size",
    "int",
    "Bytes of its inputs.",
    "`profile.communication`, where the trace tells them.",
    "By",
)
PROFILE_COMMUNICATION_DURATION: Final = attribute(
    "training.profile.communication.duration", "double", "Its time.", "`profile.communication`.", "s"
)
PROFILE_COMMUNICATION_OVERLAPPED: Final = attribute(
    "training.profile.communication.overlapped.duration",
    "double",
    "Part of it during which computing went on.",
    "`profile.communication`.",
    "s",
)

PROFILE_DATALOADER_WAIT_BATCHES: Final = attribute(
    "training.profile.dataloader_wait.batches",
    "int",
    "Batches that were waited for.",
    "`profile.dataloader_wait`.",
    "{batch}",
)
PROFILE_DATALOADER_WAIT_DURATION: Final = attribute(
    "training.profile.dataloader_wait.duration", "double", "How long in all.", "`profile.dataloader_wait`.", "s"
)
PROFILE_DATALOADER_WAIT_SHARE: Final = attribute(
    "training.profile.dataloader_wait.share", "double", "Share of the window.", "`profile.dataloader_wait`.", "1"
)
