"""What is read of a GPU as field values, in one call: memory temperature, and traffic over PCIe and NVLink."""

from __future__ import annotations

from types import ModuleType
from typing import Any, Final

from opentelemetry.semconv._incubating.attributes import hw_attributes as hw

from ocr_otel import semconv
from ocr_otel.resources.gpu.labels import IS_GPU, RECEIVE, TRANSMIT, Labels
from ocr_otel.resources.readings import Reading, Series

ALL_LINKS: Final = 0xFFFFFFFF
"""Scope of a field about NVLink: the sum of all links."""
KIBI: Final = 1024
WRAP: Final = 1 << 32
"""Where a counter of 32 bits begins again."""

_MEMBERS: Final = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal", "siVal", "usVal")
"""The members of a value, by its type."""


class Growth:
    """How much a counter of a device has grown since it was first read.

    Args:
        scale: What one count stands for.
    """

    def __init__(self, scale: int) -> None:
        self._scale = scale
        self._last: int | None = None
        self._total = 0

    def add(self, value: int, wraps: bool) -> int:
        """Take what the counter says now.

        Args:
            value: Its value.
            wraps: Whether it has 32 bits only.

        Returns:
            The growth so far.
        """
        step = value - (value if self._last is None else self._last)
        if step < 0:
            # A wide counter that fell was set back to zero.
            step = step + WRAP if wraps else value
        self._last = value
        self._total += step
        return self._total * self._scale


class FieldValues:
    """Reads the field values that a GPU has.

    PCIe traffic is read from the counters of the device. `nvmlDeviceGetPcieThroughput` watches for 20 ms a direction
    and sees nothing of the rest of the second. Where a counter has 32 bits, as on some GPUs, more than 4.3 GB between
    two readings are counted too low; 64 bits are always right.
    """

    def __init__(self, nvml: ModuleType, handle: Any, labels: Labels) -> None:
        self._nvml = nvml
        self._handle = handle
        temperature = labels.series(semconv.GPU_TEMPERATURE, IS_GPU, {hw.HW_SENSOR_LOCATION: "memory"})
        self._fields: list[tuple[tuple[int, int], Series, Growth | None]] = [
            ((nvml.NVML_FI_DEV_MEMORY_TEMP, 0), temperature, None),
            *(
                ((field, scope), labels.series(metric, direction), Growth(unit))
                for field, scope, metric, direction, unit in (
                    (nvml.NVML_FI_DEV_PCIE_COUNT_TX_BYTES, 0, semconv.GPU_IO, TRANSMIT, 1),
                    (nvml.NVML_FI_DEV_PCIE_COUNT_RX_BYTES, 0, semconv.GPU_IO, RECEIVE, 1),
                    (nvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_TX, ALL_LINKS, semconv.GPU_NVLINK_IO, TRANSMIT, KIBI),
                    (nvml.NVML_FI_DEV_NVLINK_THROUGHPUT_DATA_RX, ALL_LINKS, semconv.GPU_NVLINK_IO, RECEIVE, KIBI),
                )
            ),
        ]
        self._ids = [ids for ids, _, _ in self._fields]

    def read(self, absent: frozenset[int], lost: frozenset[int]) -> list[Reading]:
        """Read all fields.

        Args:
            absent: Errors of NVML by which a field is not there: it is not asked for again.
            lost: Errors by which the GPU is not there.

        Raises:
            NVMLError: Fields cannot be read, or the GPU is lost.
        """
        if not self._ids:
            return []
        readings: list[Reading] = []
        gone = set()
        found = self._nvml.nvmlDeviceGetFieldValues(self._handle, self._ids)
        for value, (ids, series, growth) in zip(found, self._fields, strict=True):
            status, kind = value.nvmlReturn, value.valueType
            if status in lost:
                raise self._nvml.NVMLError(status)
            if status in absent:
                gone.add(ids)
            elif status == self._nvml.NVML_SUCCESS:
                number = getattr(value.value, _MEMBERS[kind])
                narrow = kind == self._nvml.NVML_VALUE_TYPE_UNSIGNED_INT
                readings.append((series, number if growth is None else growth.add(number, narrow)))
        if gone:
            self._fields = [each for each in self._fields if each[0] not in gone]
            self._ids = [ids for ids, _, _ in self._fields]
        return readings
