"""Metrics that others make, and that dashboards and alert rules read beside ours.

The names of the OpenTelemetry conventions are spelled here once more because dashboards and rules are made from this
package alone; a test compares them with `opentelemetry.semconv`. Those of the host come from the Collector's
`hostmetrics` receiver.
"""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import foreign_metric

_HOST: Final = "From the Collector's `hostmetrics` receiver."

HOST_CPU_UTILIZATION: Final = foreign_metric("system.cpu.utilization", "gauge", "1", "CPU in use, by state.", _HOST)
HOST_MEMORY_UTILIZATION: Final = foreign_metric(
    "system.memory.utilization", "gauge", "1", "Memory in use, by state.", _HOST
)
HOST_FILESYSTEM_UTILIZATION: Final = foreign_metric(
    "system.filesystem.utilization", "gauge", "1", "Share of a file system in use.", _HOST
)
HOST_DISK_IO: Final = foreign_metric("system.disk.io", "counter", "By", "Bytes read and written.", _HOST)
HOST_NETWORK_IO: Final = foreign_metric("system.network.io", "counter", "By", "Bytes received and sent.", _HOST)
