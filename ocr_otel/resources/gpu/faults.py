"""Errors that the driver reports when they happen (Xid), and the loss of the GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Final

from opentelemetry.semconv._incubating.attributes.hw_attributes import HW_ID
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from ocr_otel import semconv
from ocr_otel.resources.gpu.labels import IS_GPU, Labels
from ocr_otel.resources.readings import Reading

logger: Final = logging.getLogger("ocr_otel")

Event = Callable[[str, Mapping[str, Any]], None]
"""Takes the name and the attributes of an event that is to be logged."""

KNOWN_XIDS: Final = (13, 31, 43, 45, 48, 61, 62, 63, 64, 74, 79, 92, 94, 95, 119, 120)
"""The Xid errors that have a series each: those of the program (13 to 45), of memory (48, 63, 64, 92, 94, 95), of
firmware (61, 62, 119, 120), of NVLink (74), and the fall off the bus (79). All others share one."""
OTHER: Final = "xid_other"
LOST: Final = "lost"
MAX_EVENTS: Final = 100
"""Events taken in one reading: a storm of them does not hold up the others."""


class Faults:
    """Counts the errors of one GPU.

    Each type has its series from the first reading on, with 0: the first error is then an increase, and not the
    beginning of a series, which no rate shows.

    Args:
        nvml: The module `pynvml`.
        handle: NVML's handle.
        labels: Of the GPU.
        event: Takes each error.
    """

    def __init__(self, nvml: ModuleType, handle: Any, labels: Labels, event: Event) -> None:
        self._nvml = nvml
        self._id = labels.common[HW_ID]
        self._event = event
        # A set for each GPU: the loss of one does not silence the others.
        self._events = self._subscribe(handle)
        self._types = {number: f"xid_{number}" for number in KNOWN_XIDS}
        types = [LOST] if self._events is None else [LOST, *self._types.values(), OTHER]
        self._counts = dict.fromkeys(types, 0)
        self._series = {kind: labels.series(semconv.GPU_ERRORS, IS_GPU, {ERROR_TYPE: kind}) for kind in self._counts}

    def take(self) -> None:
        """Take the events that wait.

        Raises:
            NVMLError: They cannot be read, for any reason but that there is none.
        """
        if self._events is None:
            return
        for _ in range(MAX_EVENTS):
            try:
                found = self._nvml.nvmlEventSetWait_v2(self._events, 0)
            except self._nvml.NVMLError_Timeout:
                return
            if found.eventType == self._nvml.nvmlEventTypeXidCriticalError:
                number = int(found.eventData)
                self._count(self._types.get(number, OTHER), {semconv.GPU_XID: number})

    def lose(self) -> None:
        """Count the loss of the GPU."""
        logger.warning("ocr_otel: GPU %s is lost; nothing more is read of it", self._id)
        self._count(LOST, {})

    def deafen(self) -> None:
        """Stop to take events; the series of what cannot be counted end."""
        self.close()
        self._counts = {LOST: self._counts[LOST]}

    def readings(self) -> list[Reading]:
        """Return the errors so far."""
        return [(self._series[kind], count) for kind, count in self._counts.items()]

    def close(self) -> None:
        """Give back the event set."""
        events, self._events = self._events, None
        if events is not None:
            try:
                self._nvml.nvmlEventSetFree(events)
            except self._nvml.NVMLError as error:
                logger.debug("ocr_otel: an event set of %s could not be freed: %s", self._id, error)

    def _subscribe(self, handle: Any) -> Any:
        try:
            events = self._nvml.nvmlEventSetCreate()
        except self._nvml.NVMLError:
            return None
        try:
            self._nvml.nvmlDeviceRegisterEvents(handle, self._nvml.nvmlEventTypeXidCriticalError, events)
        except self._nvml.NVMLError:
            self._nvml.nvmlEventSetFree(events)
            return None
        return events

    def _count(self, kind: str, more: Mapping[str, Any]) -> None:
        self._counts[kind] += 1
        self._event(semconv.GPU_ERROR, {HW_ID: self._id, ERROR_TYPE: kind, **more})
