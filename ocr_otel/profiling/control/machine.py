"""Which process on which machine: a number of a process alone says neither, for it is used again."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STATE: Final = 0
_STARTED: Final = 19
"""Fields of `/proc/<pid>/stat` behind the process's name, which may hold spaces."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a process runs.

    Attributes:
        host: The host's name.
        boot: The kernel's id of this boot; empty where it does not tell.
        pids: The namespace in which processes have their numbers; a container has its own.
    """

    host: str
    boot: str
    pids: str


def this_machine() -> Machine:
    """Return where this process runs."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = ""
    try:
        pids = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        pids = ""
    return Machine(socket.gethostname(), boot, pids)


def started(pid: int) -> int | None:
    """Return when a process of this machine began, in clock ticks since the boot; None where it is gone.

    Unlike a time of day it is not moved when somebody sets the clock.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return None if fields[_STATE] in "ZX" else int(fields[_STARTED])
    except (OSError, IndexError, ValueError):
        return None
