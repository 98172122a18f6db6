"""Can processes, disks, pressure and limits be read?"""

from __future__ import annotations

from pathlib import Path

from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.resources.host.cgroup import CgroupSource
from ocr_otel.resources.host.counts import why_no_io
from ocr_otel.resources.host.disks import place_of
from ocr_otel.resources.host.limits import cpus
from ocr_otel.resources.host.mounts import Kind, parse_mounts
from ocr_otel.resources.host.pressure import PressureSource
from ocr_otel.resources.host.processes import ProcessSource
from ocr_otel.resources.host.reading import read_or_none
from ocr_otel.resources.readings import Source, Unavailable

_WITHOUT_DISK = {
    Kind.NETWORK: "a network file system; its server's disks are not seen, and reads from it look like cached ones",
    Kind.FUSE: "a FUSE file system; what it reads is counted as its server's, and reads look like cached ones",
    Kind.OVERLAY: "a container's own file system, whose disk is not seen; a volume's disk is",
    Kind.MEMORY: "memory, and has no disk",
    Kind.OTHER: "a file system that names no disk",
}


def check_resources(directory: Path | None = None, proc: str = "/proc", system: str = "/sys") -> list[Finding]:
    """Look once at what a training reads every second.

    Args:
        directory: The place whose disk is looked for; the working directory unless given.
        proc: Where procfs is.
        system: Where sysfs is.
    """
    return [
        _processes(proc),
        _disk(directory or Path.cwd(), proc, system),
        _pressure(proc),
        _cgroup(proc),
    ]


def _processes(proc: str) -> Finding:
    missing = _why_not(ProcessSource(dict, proc))
    if missing is not None:
        return Finding("processes", Status.WARN, f"{missing}: no metrics of processes", "mount procfs at /proc")
    missing = why_no_io(proc)
    if missing is not None:
        advice = "run the training as the user who owns its files, in a container that does not mask /proc"
        return Finding("processes", Status.NOTE, f"{missing}: no I/O of processes, the rest is read", advice)
    return Finding("processes", Status.OK, f"readable, with their I/O; {_number(cpus(proc))} may be used")


def _disk(directory: Path, proc: str, system: str) -> Finding:
    place = place_of(str(directory), parse_mounts(read_or_none(f"{proc}/self/mountinfo") or b""), system)
    if place is None:
        return Finding("disks", Status.NOTE, f"{proc}/self/mountinfo does not show {directory}: no metrics of its disk")
    if not place.disks:
        why = _WITHOUT_DISK.get(place.kind, _WITHOUT_DISK[Kind.OTHER])
        return Finding("disks", Status.NOTE, f"{directory} is on {place.type}, {why}: no metrics of its disk")
    return Finding("disks", Status.OK, f"{directory} is on {place.type} on {', '.join(place.disks)}")


def _pressure(proc: str) -> Finding:
    source = PressureSource(proc)
    missing = _why_not(source)
    if missing is not None:
        advice = "start the kernel with psi=1, or make /proc/pressure visible in the container"
        return Finding("pressure", Status.NOTE, f"{missing}: no metrics of pressure", advice)
    own = any(not path.startswith(f"{proc}/") for path in source.files.values())
    return Finding("pressure", Status.OK, f"of {', '.join(source.files)}, {'of the cgroup' if own else 'of the host'}")


def _cgroup(proc: str) -> Finding:
    source = CgroupSource(proc)
    missing = _why_not(source)
    if missing is not None:
        return Finding("cgroup", Status.NOTE, f"{missing}: no metrics of limits")
    limits = [
        *([_number(source.quota.value)] if source.quota is not None else []),
        *([f"{source.limit.value / 2**30:.1f} GiB of memory"] if source.limit is not None else []),
    ]
    return Finding("cgroup", Status.OK, f"limited to {' and '.join(limits)}" if limits else "without limits")


def _why_not(source: Source) -> str | None:
    try:
        source.open()
    except Unavailable as error:
        return str(error)
    finally:
        source.close()
    return None


def _number(count: float) -> str:
    return f"{count:g} CPU{'' if count == 1 else 's'}"
