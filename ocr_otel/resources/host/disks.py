"""The disks under the places that a training reads and writes: how busy they are and how long they make it wait."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from ocr_otel import semconv
from ocr_otel.resources.host.mounts import Kind, Mount, parse_mounts, resolve
from ocr_otel.resources.host.reading import MIN_INTERVAL, Growth, read, read_or_none
from ocr_otel.resources.readings import Reading, Unavailable, series

MAX_DISKS: Final = 8
MAX_PATHS: Final = 32
SECTOR: Final = 512
"""Bytes of a sector in `/proc/diskstats`, whatever the disk's own are."""

READ: Final = "read"
WRITE: Final = "write"


class Direction(NamedTuple):
    """What a disk did in one direction since the host started.

    Attributes:
        operations: Operations completed.
        merged: Requests that were joined with a neighbour before they became one.
        bytes: Bytes moved.
        seconds: Time of all operations added up, queue included.
    """

    operations: int
    merged: int
    bytes: int
    seconds: float


class DiskCounts(NamedTuple):
    """A line of `/proc/diskstats`.

    Attributes:
        read: Reads.
        write: Writes.
        busy: Seconds in which there was anything to do.
        waited: Seconds times the operations that waited or were served in them.
    """

    read: Direction
    write: Direction
    busy: float
    waited: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where a path lies.

    Attributes:
        kind: What is behind the file system.
        type: Its type.
        disks: Names of the disks under it, such as `nvme0n1`; none for a network or a memory file system.
    """

    kind: Kind
    type: str
    disks: tuple[str, ...]


def parse_diskstats(content: bytes, names: Sequence[str]) -> dict[str, DiskCounts]:
    """Return the counts of some disks by name."""
    found = {}
    for line in content.decode().splitlines():
        words = line.split()
        if len(words) >= 14 and words[2] in names:
            numbers = [int(word) for word in words[3:14]]
            reads, writes = (
                Direction(count, merged, sectors * SECTOR, milliseconds / 1e3)
                for count, merged, sectors, milliseconds in (numbers[:4], numbers[4:8])
            )
            found[words[2]] = DiskCounts(reads, writes, numbers[9] / 1e3, numbers[10] / 1e3)
    return found


def disks_under(device: str, system: str = "/sys") -> tuple[str, ...]:
    """Return the names of the disks that a block device lies on, through partitions, LVM, encryption and RAID.

    Args:
        device: `major:minor`.
        system: Where sysfs is.
    """
    return _below(os.path.realpath(f"{system}/dev/block/{device}"), 0)


def place_of(path: str, mounts: Sequence[Mount], system: str = "/sys") -> Place | None:
    """Find where a path lies, without a system call that may hang; None where no mount is known."""
    mount = resolve(path, mounts)
    if mount is None:
        return None
    disks = _disks(mount, mounts, system)
    return Place(Kind.DISK if disks and mount.kind is Kind.OTHER else mount.kind, mount.type, disks)


class DiskSource:
    """Reads the disks under some paths.

    Args:
        paths: Returns the paths; asked at each reading, and each path is looked up once.
        proc: Where procfs is.
        system: Where sysfs is.
    """

    name = "disks"

    def __init__(self, paths: Callable[[], Sequence[Path]], proc: str = "/proc", system: str = "/sys") -> None:
        self._paths = paths
        self._proc = proc
        self._system = system
        self._growth = Growth()
        self._places: dict[str, Place | None] = {}
        self._disks: list[str] = []
        self._last: dict[str, DiskCounts] = {}
        self._last_time = 0.0

    def open(self) -> None:
        """Look up the paths.

        Raises:
            Unavailable: The kernel's table of disks or of mounts cannot be read.
        """
        for table in ("diskstats", "self/mountinfo"):
            try:
                read(f"{self._proc}/{table}")
            except OSError as error:
                raise Unavailable(f"{self._proc}/{table} cannot be read: {error.strerror}") from error
        self._look_up()
        counted = self._counted()
        for name, counts in counted.items():
            list(self._counters(name, counts))
        self._last, self._last_time = counted, monotonic()

    def read(self) -> Iterator[Reading]:
        """Yield the file systems of the paths, then each disk."""
        self._look_up()
        yield from self._file_systems()
        counted, now = self._counted(), monotonic()
        elapsed = now - self._last_time
        for name, counts in counted.items():
            yield from self._counters(name, counts)
            if elapsed >= MIN_INTERVAL and name in self._last:
                yield from rates(name, self._last[name], counts, elapsed)
        if elapsed >= MIN_INTERVAL:
            self._last, self._last_time = counted, now

    def close(self) -> None:
        """Nothing is held."""

    def _look_up(self) -> None:
        new = [path for path in map(os.fspath, self._paths()) if path not in self._places]
        if not new:
            return
        mounts = parse_mounts(read_or_none(f"{self._proc}/self/mountinfo") or b"")
        for path in new:
            if len(self._places) >= MAX_PATHS:
                break
            place = self._places[path] = place_of(path, mounts, self._system)
            for disk in place.disks if place is not None else ():
                if disk not in self._disks and len(self._disks) < MAX_DISKS:
                    self._disks.append(disk)

    def _counted(self) -> dict[str, DiskCounts]:
        if not self._disks:
            return {}
        return parse_diskstats(read_or_none(f"{self._proc}/diskstats") or b"", self._disks)

    def _file_systems(self) -> Iterator[Reading]:
        found: Counter[tuple[str, str, str]] = Counter()
        for place in self._places.values():
            if place is not None:
                for disk in place.disks or ("",):
                    found[place.type, str(place.kind), disk] += 1
        for (file_system, kind, disk), count in found.items():
            on = {"system_device": disk} if disk else {}
            yield series(semconv.PATH_COUNT, system_filesystem_type=file_system, kind=kind, **on), count

    def _counters(self, name: str, counts: DiskCounts) -> Iterator[Reading]:
        for direction, moved in ((READ, counts.read), (WRITE, counts.write)):
            by = {"system_device": name, "disk_io_direction": direction}
            yield self._growth(series(semconv.DISK_IO, **by), moved.bytes)
            yield self._growth(series(semconv.DISK_OPERATIONS, **by), moved.operations)


def rates(name: str, before: DiskCounts, after: DiskCounts, elapsed: float) -> Iterator[Reading]:
    """Yield what a disk did between two readings that are `elapsed` seconds apart."""
    # The kernel rounds to milliseconds, and the clock is not read at the same moment.
    busy = max(0.0, after.busy - before.busy) / elapsed
    yield series(semconv.DISK_UTILIZATION, system_device=name), min(1.0, busy)
    yield series(semconv.DISK_QUEUE, system_device=name), max(0.0, after.waited - before.waited) / elapsed
    for direction, old, new in ((READ, before.read, after.read), (WRITE, before.write, after.write)):
        operations = new.operations - old.operations
        if operations <= 0:
            continue
        by = {"system_device": name, "disk_io_direction": direction}
        merged = max(0, new.merged - old.merged)
        yield series(semconv.DISK_WAIT, **by), max(0.0, new.seconds - old.seconds) / operations
        yield series(semconv.DISK_REQUEST_SIZE, **by), max(0, new.bytes - old.bytes) / operations
        yield series(semconv.DISK_MERGED, **by), merged / (merged + operations)


def _disks(mount: Mount, mounts: Sequence[Mount], system: str) -> tuple[str, ...]:
    if mount.kind is Kind.OVERLAY:
        # What is written goes to its upper directory; inside a container that is a path that is not there.
        upper = next((each[9:] for each in mount.options.split(",") if each.startswith("upperdir=")), None)
        below = resolve(upper, mounts) if upper is not None else None
        if upper is None or below is None or below.may_hang or below.kind is Kind.OVERLAY or not os.path.isdir(upper):
            return ()
        return _disks(below, mounts, system)
    if mount.device.startswith("0:"):
        # btrfs and bcachefs have no number of their own, but name a device.
        if mount.may_hang or not mount.source.startswith("/dev/"):
            return ()
        try:
            number = os.stat(mount.source).st_rdev
        except OSError:
            return ()
        return disks_under(f"{os.major(number)}:{os.minor(number)}", system) if number else ()
    return disks_under(mount.device, system)


def _below(node: str, depth: int) -> tuple[str, ...]:
    if not os.path.isdir(node) or depth > 8:
        return ()
    if os.path.exists(f"{node}/partition"):
        node = os.path.dirname(node)
    try:
        under = sorted(os.listdir(f"{node}/slaves"))
    except OSError:
        under = []
    found = [disk for each in under for disk in _below(os.path.realpath(f"{node}/slaves/{each}"), depth + 1)]
    return tuple(dict.fromkeys(found)) or (os.path.basename(node),)
