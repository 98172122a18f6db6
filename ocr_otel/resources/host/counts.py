"""What the kernel counts of one process, read from its files in procfs.

`psutil` reads the same files and is asked where the cost does not matter; for a process with many workers it would
take three times as long, every second.
"""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from ocr_otel.resources.host.reading import read, read_or_none

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")

GROWING: Final = 6
"""How many counters `Counts.growing` has where the process's I/O may not be read; with I/O there are six more."""
IO_FIELDS: Final = (b"read_bytes", b"write_bytes", b"rchar", b"wchar", b"syscr", b"syscw")
"""Fields of `/proc/<pid>/io` in the order of `Counts.growing`."""


class Counts(NamedTuple):
    """One reading of one process.

    Attributes:
        started: Clock ticks from the host's start to the process's: with the pid, this names a process for good.
        parent: Pid of its parent.
        ended: Whether it has ended and waits for its parent to notice; it has counters still, but no memory.
        growing: Seconds of CPU time as user and as system, context switches that were voluntary and involuntary, page
            faults that were minor and major; then, where they may be read, the `IO_FIELDS`.
        resident: Bytes of memory in use, those shared with others included.
        threads: Number of threads.
        files: Open file descriptors; None where they may not be read.
    """

    started: int
    parent: int
    ended: bool
    growing: tuple[float, ...]
    resident: int
    threads: int
    files: int | None


def counts_of(pid: int, proc: str = "/proc") -> Counts | None:
    """Read a process; None where there is none, or none that may be seen."""
    directory = f"{proc}/{pid}"
    try:
        stat = read(f"{directory}/stat")
        # The second field is the program's name in parentheses, and may have any character in it.
        words = stat[stat.rindex(b")") + 2 :].split()
        status = read(f"{directory}/status")
    except (OSError, ValueError):
        return None
    growing: tuple[float, ...] = (
        int(words[11]) / _TICKS,
        int(words[12]) / _TICKS,
        _after(status, b"\nvoluntary_ctxt_switches:"),
        _after(status, b"\nnonvoluntary_ctxt_switches:"),
        int(words[7]),
        int(words[9]),
    )
    return Counts(
        started=int(words[19]),
        parent=int(words[1]),
        ended=words[0] in (b"Z", b"X"),
        growing=growing + (io_of(directory) or ()),
        resident=int(words[21]) * _PAGE,
        threads=int(words[17]),
        files=_open_files(f"{directory}/fd"),
    )


def io_of(directory: str) -> tuple[int, ...] | None:
    """Return the `IO_FIELDS` of a process's directory in procfs; None where they may not be read."""
    content = read_or_none(f"{directory}/io")
    if not content:
        return None
    found = dict(line.split(b": ") for line in content.splitlines())
    return tuple(int(found[field]) for field in IO_FIELDS)


def why_no_io(proc: str = "/proc") -> str | None:
    """Return why the I/O of this process cannot be read; None when it can."""
    try:
        read(f"{proc}/self/io")
    except PermissionError:
        return "/proc/<pid>/io may not be read here: the process is not dumpable, or the container hides it"
    except OSError as error:
        return f"/proc/<pid>/io cannot be read: {error.strerror}"
    return None


def unique_memory(pid: int, proc: str = "/proc") -> int | None:
    """Return the bytes that only this process has; costly, for the kernel walks all of its page tables."""
    content = read_or_none(f"{proc}/{pid}/smaps_rollup")
    if content is None:
        return None
    found = [line.split() for line in content.splitlines() if line.startswith(b"Private_")]
    return sum(int(words[1]) * 1024 for words in found) if found else None


def _after(status: bytes, name: bytes) -> int:
    at = status.find(name)
    return int(status[at + len(name) :].split(None, 1)[0]) if at >= 0 else 0


def _open_files(directory: str) -> int | None:
    try:
        # Linux 6.2 and later say how many there are; before, the size is 0 and they are counted.
        return os.stat(directory).st_size or len(os.listdir(directory))
    except OSError:
        return None
