"""Which devices CUDA shows to a process, by `CUDA_VISIBLE_DEVICES`: as CUDA itself reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ocr_otel.resources.gpu.devices import Device, Gpu, Instance

BUS_ORDER: Final = "PCI_BUS_ID"
"""Value of `CUDA_DEVICE_ORDER` by which CUDA counts as NVML does; its default puts the fastest first."""


def visible_devices(setting: str | None, order: str | None, gpus: Sequence[Gpu]) -> list[Device] | None:
    """Return what CUDA shows, in its order.

    A GPU that is divided (MIG) is shown as one of its instances, the first where none is named.

    Args:
        setting: `CUDA_VISIBLE_DEVICES`; None where it is not set.
        order: `CUDA_DEVICE_ORDER`; None where it is not set.
        gpus: The GPUs of the host, in NVML's order.

    Returns:
        The devices; None where it cannot be told: numbers, GPUs of several models, and no order by bus.
    """
    first = setting.split(",")[0].strip() if setting is not None else ""
    if first.startswith(("GPU-", "MIG-")):
        return _named(str(setting).split(","), first[:4], gpus)
    if order != BUS_ORDER and len({gpu.model for gpu in gpus}) > 1 and setting != "":
        return None
    numbers = list(range(len(gpus))) if setting is None else _numbers(setting.split(","), len(gpus))
    chosen = [gpus[number] for number in numbers]
    if setting is None and any(not gpu.divided for gpu in chosen):
        chosen = [gpu for gpu in chosen if not gpu.divided]
    return _shown(chosen)


def _numbers(entries: Sequence[str], count: int) -> list[int]:
    found: list[int] = []
    for entry in entries:
        # CUDA takes the digits that an entry begins with, and ends at the first entry that is not a device.
        digits = re.match(r"\s*\+?(\d+)", entry)
        if digits is None or int(digits[1]) >= count:
            break
        if int(digits[1]) in found:
            return []
        found.append(int(digits[1]))
    return found


def _named(entries: Sequence[str], prefix: str, gpus: Sequence[Gpu]) -> list[Device]:
    known: list[Device] = list(gpus) if prefix == "GPU-" else [each for gpu in gpus for each in gpu.instances]
    found: list[Device] = []
    for entry in entries:
        name = entry.strip()
        matching = [device for device in known if name.startswith(prefix) and _is_called(device, name)]
        # The beginning of a UUID is enough where only one begins so.
        if len(matching) != 1:
            break
        if matching[0] in found:
            return []
        found += matching
    return _shown(found)


def _is_called(device: Device, name: str) -> bool:
    if isinstance(device, Instance) and name.startswith("MIG-GPU-"):
        # The name of older drivers: MIG-<GPU's UUID>/<GPU instance>/<compute instance>.
        return name == f"MIG-{device.parent}/{device.ids[0]}/{device.ids[1]}"
    return device.uuid.startswith(name)


def _shown(devices: Sequence[Device]) -> list[Device]:
    shown: list[Device] = []
    for device in devices:
        if isinstance(device, Gpu) and device.divided:
            shown += device.instances[:1]
        else:
            shown.append(device)
    return shown
