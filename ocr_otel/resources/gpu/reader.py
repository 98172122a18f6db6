"""Reads one device, and remembers what it does not have."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Final

from ocr_otel.resources.gpu import functions
from ocr_otel.resources.gpu.devices import Device, Gpu
from ocr_otel.resources.gpu.faults import Event, Faults
from ocr_otel.resources.gpu.fields import FieldValues
from ocr_otel.resources.gpu.labels import Labels
from ocr_otel.resources.gpu.processes import ProcessMemory, sees_all_processes
from ocr_otel.resources.readings import Reading

logger: Final = logging.getLogger("ocr_otel")


class DeviceReader:
    """Reads a GPU or an instance of one.

    Args:
        nvml: The module `pynvml`, started.
        device: What is read.
        event: Takes each error that the driver reports.
        sample: Takes each sample of compute utilisation.

    Attributes:
        lost: Whether the GPU does not answer any more: there is nothing more to read.
    """

    def __init__(self, nvml: ModuleType, device: Device, event: Event, sample: functions.Sample) -> None:
        self.lost: bool = False
        self._nvml = nvml
        self._name = device.name
        self._faults: Faults | None = None
        # What an old driver, this GPU or this user's rights do not have will not come while the process runs.
        self._absent = frozenset(
            (
                nvml.NVML_ERROR_NOT_SUPPORTED,
                nvml.NVML_ERROR_NO_PERMISSION,
                nvml.NVML_ERROR_FUNCTION_NOT_FOUND,
                nvml.NVML_ERROR_INVALID_ARGUMENT,
                nvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
                nvml.NVML_ERROR_DEPRECATED,
            )
        )
        self._gone = frozenset((nvml.NVML_ERROR_GPU_IS_LOST, nvml.NVML_ERROR_RESET_REQUIRED))
        labels, handle = Labels(device), device.handle
        self._parts: list[functions.Alternatives] = []
        if isinstance(device, Gpu):
            self._faults = Faults(nvml, handle, labels, event)
            fields = FieldValues(nvml, handle, labels)
            self._parts += functions.of_gpu(nvml, handle, labels, sample)
            self._parts.append([lambda: fields.read(self._absent, self._gone)])
        # The memory of a divided GPU is that of its instances, and of other people's.
        if not (isinstance(device, Gpu) and device.divided):
            processes = ProcessMemory(nvml, handle, labels, sees_all_processes())
            self._parts += [functions.memory(nvml, handle, labels), [processes.read]]

    def read(self) -> list[Reading]:
        """Read everything that there is; of a lost GPU for the last time.

        Raises:
            NVMLError: NVML itself was ended by another user of this process.
        """
        readings: list[Reading] = []
        self._take_events()
        for part in list(self._parts):
            if self.lost:
                break
            self._read_part(part, readings)
        if self._faults is not None:
            if self.lost:
                self._faults.lose()
            readings += self._faults.readings()
        return readings

    def close(self) -> None:
        """Give back what NVML lent."""
        if self._faults is not None:
            self._faults.close()

    def _read_part(self, part: functions.Alternatives, readings: list[Reading]) -> None:
        while part:
            try:
                readings += part[0]()
                return
            except self._nvml.NVMLError as error:
                if not self._is_absent(error):
                    return
                del part[0]
        self._parts.remove(part)

    def _take_events(self) -> None:
        if self._faults is None:
            return
        try:
            self._faults.take()
        except self._nvml.NVMLError as error:
            if self._is_absent(error):
                self._faults.deafen()

    def _is_absent(self, error: Exception) -> bool:
        code = getattr(error, "value", None)
        if code == self._nvml.NVML_ERROR_UNINITIALIZED:
            raise error
        if code in self._gone:
            self.lost = True
        elif code not in self._absent:
            logger.debug("ocr_otel: a reading of %s failed: %s", self._name, error)
        return code in self._absent
