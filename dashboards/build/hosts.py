"""The panels about the hosts that a run trains on, by the agents' `hostmetrics`."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import HOST, OF_HOST, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

_HOST: Final = f"{{{{{HOST}}}}}"


def hosts() -> list[Builder[Panel]]:
    """Return CPU, memory, file systems, disks and network of each host."""
    idle = series(semconv.HOST_CPU_UTILIZATION, *OF_HOST, 'state="idle"')
    used = series(semconv.HOST_MEMORY_UTILIZATION, *OF_HOST, 'state="used"')
    files = series(semconv.HOST_FILESYSTEM_UTILIZATION, *OF_HOST)
    disk, network = (rate(series(each, *OF_HOST)) for each in (semconv.HOST_DISK_IO, semconv.HOST_NETWORK_IO))
    direction = f"{_HOST} {{{{device}}}} {{{{direction}}}}"
    return [
        lines(
            Face(
                "CPU",
                "Share of the host's CPUs in use, by all processes. Near 100 % while the loop waits for data: more "
                "workers do not help, cheaper decoding does.",
                units.PercentUnit,
                steps=((0.95, colors.ATTENTION),),
                empty="no agent on the host",
            ),
            Query(f"1 - avg by ({HOST}) ({idle})", _HOST),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Memory",
                "Share of the host's memory in use, caches not counted. Above the line the kernel soon kills the "
                "largest process: fewer workers, a smaller prefetch factor, or memory-mapped data.",
                units.PercentUnit,
                steps=((at.TRAINING_HOST_MEMORY_PRESSURE, colors.BAD),),
                empty="no agent on the host",
            ),
            Query(f"max by ({HOST}) ({used})", _HOST),
            limits=(0, 1),
        ),
        lines(
            Face(
                "File systems",
                "Share of each file system in use. A checkpoint that cannot be written ends the run: make room before "
                "the line is reached.",
                units.PercentUnit,
                width=8,
                steps=((at.TRAINING_DISK_NEARLY_FULL, colors.BAD),),
                empty="no agent on the host",
            ),
            Query(f"max by ({HOST}, mountpoint) ({files})", f"{_HOST} {{{{mountpoint}}}}"),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Disks",
                "Bytes a second that the host reads and writes. Flat at the disk's limit while the loop waits for "
                "data: copy the data to a faster disk, or pack small files.",
                units.BytesPerSecondIEC,
                width=8,
                empty="no agent on the host",
            ),
            Query(f"sum by ({HOST}, device, direction) ({disk})", direction),
        ),
        lines(
            Face(
                "Network",
                "Bytes a second that the host receives and sends. Flat at the link's limit: shared storage or "
                "gradients fill it; compare with the phases of a batch.",
                units.BytesPerSecondIEC,
                width=8,
                empty="no agent on the host",
            ),
            Query(f"sum by ({HOST}, device, direction) ({network})", direction),
        ),
    ]
