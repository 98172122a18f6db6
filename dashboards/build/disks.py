"""The panels about what the training reads and writes, and the disks below it."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import HOST, OF_RUN, RANK, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

_RANK: Final = f"rank {{{{{RANK}}}}}"
_DIRECTION: Final = "disk_io_direction"
_DISK: Final = "system_device"
_ON: Final = f"{{{{{HOST}}}}} {{{{{_DISK}}}}}"


def disks() -> list[Builder[Panel]]:
    """Return what is asked for, what devices deliver, and how the disks bear it."""
    read, write = f'{_DIRECTION}="read"', f'{_DIRECTION}="write"'
    # All ranks of a host read the same disks: the largest reading is the disk's, their sum would be a multiple.
    by_disk = f"max by ({HOST}, {_DISK})"
    by_way = f"max by ({HOST}, {_DISK}, {_DIRECTION})"
    way = f"{_ON} {{{{{_DIRECTION}}}}}"
    return [
        lines(
            Face(
                "Reading: asked for and from devices",
                "Bytes a second that all processes of a rank ask for, and that devices deliver. Devices far below: "
                "the page cache serves the data, which a second epoch should show. Both flat while the loop waits: "
                "the disk is the limit; pack small files, read ahead, or copy the data to a faster disk.",
                units.BytesPerSecondIEC,
                empty="not measured",
            ),
            Query(f"sum by ({RANK}) ({rate(series(semconv.IO_REQUESTED, *OF_RUN, read))})", f"{_RANK} asked for"),
            Query(f"sum by ({RANK}) ({rate(series(semconv.PROCESS_DISK_IO, *OF_RUN, read))})", f"{_RANK} from devices"),
        ),
        lines(
            Face(
                "Share that no device had to deliver",
                "Share of the bytes read that came from the page cache, or from a network file system, which is no "
                "device here. Low in the second epoch: the data does not fit into memory; a smaller data set by rank, "
                "more memory, or compressed data help.",
                units.PercentUnit,
                empty="little is read",
            ),
            Query(f"avg by ({RANK}) ({series(semconv.IO_CACHED, *OF_RUN)})", _RANK),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Writing: asked for and to devices",
                "Bytes a second that all processes of a rank write. Bursts are checkpoints; a steady stream is logs "
                "or a cache. Devices follow later, when the kernel writes back: the next reads wait then.",
                units.BytesPerSecondIEC,
                width=8,
                empty="not measured",
            ),
            Query(f"sum by ({RANK}) ({rate(series(semconv.IO_REQUESTED, *OF_RUN, write))})", f"{_RANK} asked for"),
            Query(f"sum by ({RANK}) ({rate(series(semconv.PROCESS_DISK_IO, *OF_RUN, write))})", f"{_RANK} to devices"),
        ),
        lines(
            Face(
                "Disks at work",
                "Share of time in which a disk under the run's data, working directory or checkpoints had anything to "
                "do. A hard disk is full at 100 %; an SSD serves many at once, so look at its queue and wait.",
                units.PercentUnit,
                width=8,
                steps=((0.9, colors.ATTENTION),),
                empty="no disk found",
            ),
            Query(f"{by_disk} ({series(semconv.DISK_UTILIZATION, *OF_RUN)})", _ON),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Wait of a disk",
                "Mean time of an operation, queue included. Below a millisecond is usual for NVMe, ten for a hard "
                "disk; it climbs with the queue: the disk has more to do than it can, or others use it too.",
                units.Seconds,
                width=8,
                steps=((0.02, colors.ATTENTION), (0.1, colors.BAD)),
                empty="no disk found",
            ),
            Query(f"{by_way} ({series(semconv.DISK_WAIT, *OF_RUN)})", way),
        ),
        lines(
            Face(
                "Queue of a disk",
                "Mean number of operations that wait or are served. Long with a growing wait: the disk is the limit. "
                "Below 1 while the loop waits for data: reads come one by one, so more workers or reading ahead help.",
                units.Short,
                width=8,
                empty="no disk found",
            ),
            Query(f"{by_disk} ({series(semconv.DISK_QUEUE, *OF_RUN)})", _ON),
        ),
        lines(
            Face(
                "Traffic of the disks under the run",
                "Bytes a second by all that use these disks. More than the run's own reading from devices: somebody "
                "else uses them.",
                units.BytesPerSecondIEC,
                width=8,
                empty="no disk found",
            ),
            Query(f"{by_way} ({rate(series(semconv.DISK_IO, *OF_RUN))})", way),
        ),
        lines(
            Face(
                "Size of an operation",
                "Mean bytes of an operation of the disk. A few kilobytes are random access to small files: pack them "
                "into shards; hundreds are sequential reading.",
                units.BytesIEC,
                width=8,
                empty="no disk found",
            ),
            Query(f"{by_way} ({series(semconv.DISK_REQUEST_SIZE, *OF_RUN)})", way),
        ),
    ]
