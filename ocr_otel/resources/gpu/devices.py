"""The GPUs of a host and their MIG instances, as NVML knows them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

logger: Final = logging.getLogger("ocr_otel")


@dataclass(frozen=True, slots=True)
class Instance:
    """A MIG instance: a part of a GPU that a process sees as a device.

    Attributes:
        handle: NVML's handle.
        uuid: `MIG-` and its UUID.
        name: Name of its GPU and its own number.
        model: Model with its profile, as `NVIDIA A100-SXM4-40GB MIG 1g.5gb`.
        parent: UUID of its GPU.
        ids: Numbers of its GPU instance and its compute instance.
    """

    handle: Any = field(repr=False, compare=False)
    uuid: str
    name: str
    model: str
    parent: str
    ids: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU.

    Attributes:
        handle: NVML's handle.
        uuid: `GPU-` and its UUID.
        name: `gpu` and NVML's number, which `nvidia-smi` shows too.
        model: Model, as `NVIDIA A100-SXM4-80GB`.
        divided: Whether MIG is on: then it is used by its instances only.
        instances: Its MIG instances.
    """

    handle: Any = field(repr=False, compare=False)
    uuid: str
    name: str
    model: str
    divided: bool = False
    instances: tuple[Instance, ...] = ()


Device = Gpu | Instance


def find_gpus(nvml: ModuleType) -> list[Gpu]:
    """Return the GPUs that answer, in NVML's order: by their places on the PCI bus."""
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        try:
            found.append(_gpu(nvml, index))
        except nvml.NVMLError as error:
            # Such a one is lost, or not for this user or container.
            logger.debug("ocr_otel does not read GPU %d: %s", index, error)
    return found


def _gpu(nvml: ModuleType, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    uuid, model, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle), f"gpu{index}"
    try:
        divided = nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE
        places = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if divided else 0
    except nvml.NVMLError:
        return Gpu(handle, uuid, name, model)
    instances = []
    for place in range(places):
        try:
            instances.append(_instance(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place), uuid, name))
        except nvml.NVMLError:
            continue  # Not every place is taken.
    return Gpu(handle, uuid, name, model, divided, tuple(instances))


def _instance(nvml: ModuleType, handle: Any, parent: str, name: str) -> Instance:
    ids = nvml.nvmlDeviceGetGpuInstanceId(handle), nvml.nvmlDeviceGetComputeInstanceId(handle)
    uuid, model = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
    return Instance(handle, uuid, f"{name}.mig{ids[0]}.{ids[1]}", model, parent, ids)
