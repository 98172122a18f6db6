"""What `/proc` tells about processes and their threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
_STOPPED = "Tt"


@dataclass(frozen=True, slots=True)
class Stat:
    """A process, or a thread.

    Attributes:
        pid: Its number.
        name: Its name in the kernel, at most 15 characters.
        state: One letter: R runs, S sleeps, D sleeps and cannot be woken, T and t are stopped, Z is dead.
        parent: Number of the process that it is a child of.
        start_ticks: When it began, in clock ticks since the host did: who has its number later has another one.
    """

    pid: int
    name: str
    state: str
    parent: int
    start_ticks: int

    @property
    def stopped(self) -> bool:
        """Whether a signal or a debugger has stopped it."""
        return self.state in _STOPPED


def stat(pid: int, thread: int | None = None) -> Stat | None:
    """Return what a process is, or one of its threads; None where it is gone."""
    try:
        content = (_folder(pid, thread) / "stat").read_text(encoding="utf-8", errors="replace")
        # The name is in brackets and may hold brackets itself.
        begin, _, rest = content.rpartition(")")
        fields = rest.split()
        return Stat(thread or pid, begin.partition("(")[2], fields[0], int(fields[1]), int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def stat_of(process: Stat) -> Stat | None:
    """Return what a process is now; None where it is gone, and where another one has its number."""
    found = stat(process.pid)
    return found if found is not None and found.start_ticks == process.start_ticks else None


def waits(pid: int, thread: int) -> str:
    """Return in words what a thread does in the kernel; empty where it is gone."""
    found = stat(pid, thread)
    if found is None:
        return ""
    try:
        where = (_folder(pid, thread) / "wchan").read_text(encoding="utf-8", errors="replace").strip("\0\n 0")
    except OSError:
        where = ""
    return f"state {found.state}, in {where}" if where else f"state {found.state}"


def signals(pid: int, thread: int | None = None) -> dict[str, int]:
    """Return the signals that a process or thread catches, blocks, ... as masks, by their name in its status."""
    masks = {}
    try:
        for line in (_folder(pid, thread) / "status").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.startswith(("Sig", "Shd")) and key != "SigQ":
                masks[key] = int(value, 16)
    except (OSError, ValueError):
        return {}
    return masks


def has_open(pid: int, file: os.stat_result) -> bool:
    """Return whether a process has a file open."""
    folder = _folder(pid) / "fd"
    try:
        numbers = os.listdir(folder)
    except OSError:
        return False
    for number in numbers:
        try:
            found = os.stat(folder / number)
        except OSError:
            continue
        if os.path.samestat(found, file):
            return True
    return False


def threads(pid: int) -> list[int]:
    """Return the numbers of a process's threads, its main thread first."""
    try:
        numbers = {int(name) for name in os.listdir(_folder(pid) / "task")}
    except OSError:
        return []
    return [*({pid} & numbers), *sorted(numbers - {pid})]


def children() -> dict[int, list[Stat]]:
    """Return all processes by their parents' numbers."""
    found: dict[int, list[Stat]] = {}
    for process in _all():
        found.setdefault(process.parent, []).append(process)
    return found


def _all() -> Iterator[Stat]:
    for name in sorted(filter(str.isdecimal, os.listdir(PROC)), key=int):
        if (found := stat(int(name))) is not None:
            yield found


def _folder(pid: int, thread: int | None = None) -> Path:
    return PROC / str(pid) if thread is None else PROC / str(pid) / "task" / str(thread)
