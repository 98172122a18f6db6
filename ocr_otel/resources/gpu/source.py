"""The source of readings about GPUs."""

from __future__ import annotations

from types import ModuleType
from typing import Final, Literal

from ocr_otel.resources.gpu.devices import Device, Instance, find_gpus
from ocr_otel.resources.gpu.faults import Event
from ocr_otel.resources.gpu.functions import Sample
from ocr_otel.resources.gpu.library import start_nvml
from ocr_otel.resources.gpu.reader import DeviceReader
from ocr_otel.resources.gpu.used import InUse, devices_in_use, resolve
from ocr_otel.resources.readings import Reading, Source

Which = Literal["used", "all"]
"""The GPUs that this process uses, or all of the host."""

LOOKS_EVERY: Final = 10
"""Readings between two looks whether one more device came into use. Until the first one has, each reading looks."""


def gpu_sources(which: Which, event: Event, utilization: Sample) -> list[Source]:
    """Make the sources of readings about GPUs.

    Args:
        which: `used` is those on which PyTorch holds memory in this process, from when it does; a training on the CPU
            uses none. `all` is every GPU of the host.
        event: Takes the name and attributes of each error that the driver reports, to be logged.
        utilization: Takes each sample of compute utilisation, 0 to 1, with the attributes of its series.

    Returns:
        The sources; all of them are to be opened, read and closed in the same thread.
    """
    return [GpuSource(which, event, utilization)]


class GpuSource:
    """Reads GPUs by NVML."""

    name = "gpu"

    def __init__(self, which: Which, event: Event, utilization: Sample) -> None:
        self._which = which
        self._event = event
        self._utilization = utilization
        self._nvml: ModuleType | None = None
        self._in_use: list[InUse] = []
        self._readers: dict[Device, DeviceReader] = {}
        self._next_look = 0

    def open(self) -> None:
        """Start NVML.

        Raises:
            Unavailable: No GPU can be read here.
        """
        self._nvml = start_nvml()
        if self._which == "all":
            for gpu in find_gpus(self._nvml):
                self._add(self._nvml, gpu)
                for instance in gpu.instances:
                    self._add(self._nvml, instance)

    def read(self) -> list[Reading]:
        """Read all devices that are not lost."""
        assert self._nvml is not None
        if self._which == "used":
            self._look(self._nvml)
        readings: list[Reading] = []
        for reader in self._readers.values():
            if not reader.lost:
                readings += reader.read()
        return readings

    def close(self) -> None:
        """End NVML, where it was started."""
        nvml, self._nvml = self._nvml, None
        if nvml is None:
            return
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        nvml.nvmlShutdown()

    def _look(self, nvml: ModuleType) -> None:
        self._next_look -= 1
        if self._next_look > 0:
            return
        in_use = devices_in_use()
        if in_use:
            self._next_look = LOOKS_EVERY
        if in_use == self._in_use:
            return
        gpus = find_gpus(nvml)
        self._in_use = in_use
        for device in resolve(in_use, gpus):
            # Power, temperature and errors of an instance are those of its GPU.
            for gpu in gpus:
                if isinstance(device, Instance) and device.parent == gpu.uuid:
                    self._add(nvml, gpu)
            self._add(nvml, device)

    def _add(self, nvml: ModuleType, device: Device) -> None:
        if device not in self._readers:
            self._readers[device] = DeviceReader(nvml, device, self._event, self._utilization)
