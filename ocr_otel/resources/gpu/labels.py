"""The attributes that say which device a reading is of."""

from __future__ import annotations

from typing import Final

from opentelemetry.semconv._incubating.attributes import hw_attributes as hw
from opentelemetry.semconv._incubating.attributes.network_attributes import NETWORK_IO_DIRECTION

from ocr_otel.resources.gpu.devices import Device, Instance
from ocr_otel.resources.readings import Series

VENDOR: Final = "NVIDIA"
IS_GPU: Final = {hw.HW_TYPE: hw.HwTypeValues.GPU.value}
"""For the metrics that other hardware has too."""
TRANSMIT: Final[dict[str, str]] = {NETWORK_IO_DIRECTION: "transmit"}
RECEIVE: Final[dict[str, str]] = {NETWORK_IO_DIRECTION: "receive"}


class Labels:
    """Makes the series of one device.

    Args:
        device: Which.

    Attributes:
        common: The attributes that all its series have.
    """

    def __init__(self, device: Device) -> None:
        self.common: dict[str, str] = {
            hw.HW_ID: device.uuid,
            hw.HW_NAME: device.name,
            hw.HW_MODEL: device.model,
            hw.HW_VENDOR: VENDOR,
        }
        if isinstance(device, Instance):
            self.common[hw.HW_PARENT] = device.parent

    def series(self, metric: str, *more: dict[str, str]) -> Series:
        """Make a series of a metric, with further attributes."""
        attributes = dict(self.common)
        for each in more:
            attributes |= each
        return Series(metric, tuple(sorted(attributes.items())))
