"""Which process is which, whether it lives, and what status it ended with; a pid that was given anew fools nobody."""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, Final

from ocr_otel.watchdog import threads

_INFO: Final = struct.Struct("=QQ11Ii")
"""The kernel's `struct pidfd_info`: mask, cgroup, eleven ids, exit status."""
_GET_INFO: Final = 3 << 30 | _INFO.size << 16 | 0xFF << 8 | 11
_INFO_EXIT: Final = 1 << 3
_ZOMBIE: Final = (b"Z", b"X")
_STOPPED: Final = (b"T", b"t")
_TICKS, _EXIT_STATUS = 19, 49
"""Places in `/proc/<pid>/stat` behind the name of the program."""


def identity(pid: int) -> dict[str, Any]:
    """Return what tells a process from all others: the fields of a journal's header."""
    return {
        "pid": pid,
        "start_ticks": start_ticks(pid) or 0,
        "boot_id": boot_id(),
        "host": socket.gethostname(),
        "pid_namespace": pid_namespace(),
    }


def start_ticks(pid: int) -> int | None:
    """Return when a process began, in ticks since its host did; None where there is none."""
    found = threads.stat(pid)
    return found.start_ticks if found is not None else None


def boot_id() -> str:
    """Return what changes with each start of the host; empty where unknown."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def pid_namespace() -> str:
    """Return in which namespace pids are meant here; empty where unknown."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def lives(header: Mapping[str, Any]) -> bool | None:
    """Say whether the process of a journal's header lives; None where it cannot be seen from here."""
    if header.get("boot_id") and header["boot_id"] != boot_id():
        return False
    if header.get("pid_namespace") and header["pid_namespace"] != pid_namespace():
        return None
    pid, ticks = header.get("pid"), header.get("start_ticks")
    if not isinstance(pid, int) or not isinstance(ticks, int):
        return None
    life = Life(pid, ticks)
    try:
        return life.lives() if life.seen or os.path.exists(f"/proc/{pid}/stat") else _is_hidden(pid)
    finally:
        life.close()


def _is_hidden(pid: int) -> bool | None:
    # A procfs mounted with `hidepid` shows nobody else's processes; a signal still tells that there is one.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return None


class Life:
    """The life of a process.

    Args:
        pid: Its pid.
        ticks: When it began: another process with its pid is not it.
        pidfd: What names it for good; -1 without one.
    """

    def __init__(self, pid: int, ticks: int, pidfd: int = -1) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self._last_status: int | None = None
        # An open file of procfs stays with the process that it was opened for.
        try:
            self._stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._stat = -1
        if self._stat >= 0 and self._field(_TICKS) != str(ticks).encode():
            self.close()

    @property
    def seen(self) -> bool:
        """Whether there was such a process when this object was made."""
        return self._stat >= 0

    def close(self) -> None:
        """Close what this object has opened."""
        if self._stat >= 0:
            os.close(self._stat)
            self._stat = -1

    def lives(self) -> bool:
        """Say whether it runs; one that has ended and is not collected by its parent does not."""
        if self.pidfd >= 0:
            poll = select.poll()
            poll.register(self.pidfd, select.POLLIN)
            return not poll.poll(0)
        state = self._field(0)
        return state is not None and state not in _ZOMBIE

    def glance(self) -> None:
        """Note the status of a process that is about to end: its parent may collect it before the next look."""
        state, status = self._field(0), self._field(_EXIT_STATUS)
        if state is not None and state not in _STOPPED and status is not None and status not in (b"", b"0"):
            self._last_status = int(status)

    def status(self, patience: float = 1.0) -> int | None:
        """Return the status that it ended with, as `os.wait` does.

        Args:
            patience: Seconds in which a parent may collect it: the kernel then says the status to everybody.

        Returns:
            The status; None where nobody says it.
        """
        deadline = time.monotonic() + patience
        while True:
            told = self._from_pidfd()
            if told is not None:
                return told
            self.glance()
            if self._last_status is not None:
                return self._last_status
            # A zombie's status of 0 may also mean that we may not know it; the kernel's other answer is better.
            if time.monotonic() >= deadline:
                return 0 if self._field(0) in _ZOMBIE else None
            time.sleep(0.01)

    def is_replaced(self, mark: str) -> bool:
        """Say whether it has called `exec`: it has memory, and nothing in it whose name has `mark` in it."""
        try:
            with open(f"/proc/{self.pid}/maps", encoding="utf-8", errors="replace") as file:
                # One that is about to end, and waits for a file server, has given its memory back.
                first = file.readline()
                return bool(first) and mark not in first and not any(mark in each for each in file)
        except OSError:
            return False

    def _from_pidfd(self) -> int | None:
        if self.pidfd < 0:
            return None
        buffer = bytearray(_INFO.pack(_INFO_EXIT, *[0] * 13))
        try:
            fcntl.ioctl(self.pidfd, _GET_INFO, buffer)
        except OSError:
            # Linux before 6.13, or, before 6.15, a process that its parent has collected.
            return None
        told = _INFO.unpack(buffer)
        return int(told[-1]) if told[0] & _INFO_EXIT else None

    def _field(self, place: int) -> bytes | None:
        if self._stat < 0:
            return None
        try:
            found = _fields(os.pread(self._stat, 4096, 0))
        except OSError:
            return None
        return found[place] if place < len(found) else None


def _fields(stat: bytes) -> list[bytes]:
    # The name of the program may hold blanks and brackets.
    return stat[stat.rfind(b")") + 1 :].split()
