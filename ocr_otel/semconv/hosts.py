"""Metrics of the training process, its dataloader workers and its host.

The names of the OpenTelemetry conventions are spelled here once more because dashboards and rules are made from this
package alone; a test compares them with `opentelemetry.semconv`.
"""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import resource_metric

PROCESS_MEMORY: Final = resource_metric(
    "process.memory.usage", "updowncounter", "By", "Resident memory of the training process.", "Where it is read."
)
PROCESS_CPU: Final = resource_metric(
    "process.cpu.utilization", "gauge", "1", "CPU time of the training process; 1 is one CPU.", "Where it is read."
)
PROCESS_DISK_IO: Final = resource_metric(
    "process.disk.io", "counter", "By", "Bytes that the training process reads and writes.", "By `disk.io.direction`."
)
