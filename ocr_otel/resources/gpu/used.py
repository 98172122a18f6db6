"""Which devices this process uses: those on which PyTorch holds memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ocr_otel.resources.gpu.devices import Device, Gpu
from ocr_otel.resources.gpu.visible import visible_devices

NO_UUID: Final = ""


@dataclass(frozen=True, slots=True)
class InUse:
    """A device in PyTorch's words.

    Attributes:
        ordinal: CUDA's number for it in this process.
        uuid: Its UUID without a prefix, or of the GPU that it is a part of; empty where PyTorch does not tell.
    """

    ordinal: int
    uuid: str = NO_UUID


def devices_in_use() -> list[InUse]:
    """Return the CUDA devices that hold memory of PyTorch; none before PyTorch has started CUDA.

    Not the current device: that is a thing of each thread, and it is not the training's thread that asks. Nothing is
    started by asking, and no context is made on a device that is not used.
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return []
    return [InUse(ordinal, _uuid(cuda, ordinal)) for ordinal in _with_memory(cuda)]


def _with_memory(cuda: Any) -> list[int]:
    visible = range(cuda.device_count())
    try:
        return [ordinal for ordinal in visible if cuda.memory_reserved(ordinal) > 0]
    except RuntimeError:
        # An allocator of the user's own does not tell. Each rank of a host then has the device of its number.
        local = int(os.environ.get("LOCAL_RANK") or 0)
        return [local] if local in visible else []


def _uuid(cuda: Any, ordinal: int) -> str:
    return str(getattr(cuda.get_device_properties(ordinal), "uuid", NO_UUID))


def resolve(used: Sequence[InUse], gpus: Sequence[Gpu], environment: Mapping[str, str] = os.environ) -> list[Device]:
    """Find NVML's devices for PyTorch's.

    Args:
        used: What PyTorch uses.
        gpus: The GPUs of the host.
        environment: Where `CUDA_VISIBLE_DEVICES` and `CUDA_DEVICE_ORDER` are.

    Returns:
        The devices; one that cannot be told for sure is left out.
    """
    shown = visible_devices(environment.get("CUDA_VISIBLE_DEVICES"), environment.get("CUDA_DEVICE_ORDER"), gpus)
    found: list[Device] = []
    for each in used:
        device = _by_uuid(each.uuid, gpus)
        # For an instance, CUDA may tell the UUID of its GPU.
        if each.uuid == NO_UUID or (isinstance(device, Gpu) and device.divided):
            device = shown[each.ordinal] if shown is not None and each.ordinal < len(shown) else None
        if device is not None and device not in found:
            found.append(device)
    return found


def _by_uuid(uuid: str, gpus: Sequence[Gpu]) -> Device | None:
    if uuid == NO_UUID:
        return None
    for gpu in gpus:
        devices: tuple[Device, ...] = (gpu, *gpu.instances)
        for device in devices:
            if device.uuid[len("GPU-") :] == uuid:
                return device
    return None
