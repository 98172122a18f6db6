"""Whether the kernel killed a process because memory ran out: counters of its control group, and the kernel's log."""

from __future__ import annotations

import os
import re
from typing import Final

_NO_LIMIT: Final = 1 << 60
"""Bytes from which version 1 of control groups means that there is no limit."""
_KILLED: Final = re.compile(rb"(Memory cgroup out of memory|Out of memory): Killed process (\d+) ")
_MAX_RECORDS: Final = 100_000
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


class OutOfMemory:
    """Watches for kills of a process's control group from now on.

    Args:
        pid: The process.
        proc: Where procfs is.
    """

    def __init__(self, pid: int, proc: str = "/proc") -> None:
        self._pid = pid
        self._version, self._levels = _find(pid, proc)
        self._kills = self._count("oom_kill")
        self._limit, self._level = min(((_limit(each, self._version), each) for each in self._levels), default=(0, ""))
        self._strained = self._strains()
        self._log = _open_log()

    def close(self) -> None:
        """Close the kernel's log."""
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def verdict(self) -> str:
        """Say how memory ran out for the process, behind `the kernel`; empty where nothing says that it did."""
        group = f"ran out of memory in its control group (limit {_size(self._limit)})"
        logged = self._logged()
        if logged is not None:
            if logged != b"Memory cgroup out of memory":
                return "ran out of memory on the whole host"
            return group if self._limited() else "ran out of memory in its control group"
        if self._count("oom_kill") <= self._kills:
            return ""
        return group if self._limited() and self._strains() > self._strained else "ran out of memory"

    def _limited(self) -> bool:
        return 0 < self._limit < _NO_LIMIT

    def _count(self, name: str) -> int:
        if not self._levels:
            return 0
        file = "memory.events" if self._version == 2 else "memory.oom_control"
        return _fields(f"{self._levels[0]}/{file}").get(name, 0)

    def _strains(self) -> int:
        """Return how often the limit was in the way, of the group that has it."""
        if not self._limited():
            return 0
        if self._version == 2:
            return _fields(f"{self._level}/memory.events").get("oom", 0)
        return _number(f"{self._level}/memory.failcnt") or 0

    def _logged(self) -> bytes | None:
        """Return how the kernel's log begins to tell of the kill of the process; None where it does not."""
        if self._log < 0:
            return None
        for _ in range(_MAX_RECORDS):
            try:
                record = os.read(self._log, 8192)
            except BrokenPipeError:
                # Records were overwritten before they were read.
                continue
            except OSError:
                return None
            found = _KILLED.search(record)
            if found is not None and int(found[2]) == self._pid:
                return found[1]
        return None


def _open_log() -> int:
    try:
        file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        os.lseek(file, 0, os.SEEK_END)
    except OSError:
        os.close(file)
        return -1
    return file


def _find(pid: int, proc: str) -> tuple[int, list[str]]:
    """Return the version, and the directories of a process's control groups for memory, its own first."""
    unified: str | None = None
    first: str | None = None
    for line in _text(f"{proc}/{pid}/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            unified = path
        elif "memory" in controllers.split(","):
            first = path
    for version, inside, kind in ((1, first, "cgroup"), (2, unified, "cgroup2")):
        if inside is None:
            continue
        for root, point in _mounts(f"{proc}/self/mountinfo", kind):
            levels = _levels(inside, root, point)
            if os.path.exists(f"{levels[0]}/{'memory.events' if version == 2 else 'memory.oom_control'}"):
                return version, levels
    return 0, []


def _mounts(mountinfo: str, kind: str) -> list[tuple[str, str]]:
    found = []
    for line in _text(mountinfo).splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if len(left) < 6 or len(right) < 3 or right[0] != kind:
            continue
        if kind == "cgroup2" or "memory" in right[2].split(","):
            found.append((_plain(left[3]), _plain(left[4])))
    return found[::-1]


def _levels(path: str, root: str, point: str) -> list[str]:
    # Without a namespace of its own, a container sees its path on the host, and the mount begins at that path.
    inside = path
    if root != "/":
        inside = path[len(root) :] if path == root or path.startswith(root + "/") else ""
    directory = point + inside.rstrip("/")
    if ".." in inside.split("/") or not os.path.isdir(directory):
        return [point]
    levels = [directory]
    while len(directory) > len(point):
        directory = directory.rpartition("/")[0]
        levels.append(directory)
    return levels


def _limit(level: str, version: int) -> int:
    return _number(f"{level}/{'memory.max' if version == 2 else 'memory.limit_in_bytes'}") or _NO_LIMIT


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def _fields(path: str) -> dict[str, int]:
    words = [line.split() for line in _text(path).splitlines()]
    return {each[0]: int(each[1]) for each in words if len(each) == 2 and each[1].isdigit()}


def _number(path: str) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
