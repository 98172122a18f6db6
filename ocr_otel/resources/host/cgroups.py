"""Where the process's cgroups are, and what limits them: version 2, version 1, both at once, or none."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ocr_otel.resources.host.mounts import Mount, parse_mounts
from ocr_otel.resources.host.reading import read_or_none

NO_LIMIT: Final = 1 << 60
"""Bytes from which version 1 means that there is no limit: it says the largest number of pages."""


_ValueOf = Callable[[str, int], float | None]


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """The cgroups that a controller holds the process in.

    Attributes:
        version: 1 or 2.
        levels: Their directories: the process's own first, then its parents', as far up as they can be seen. The one of
            the whole host, which limits nothing, is not among them.
    """

    version: int
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """The least limit of a hierarchy.

    Attributes:
        value: CPUs, or bytes.
        level: The directory that sets it.
    """

    value: float
    level: str


def find(controller: str, proc: str = "/proc") -> Hierarchy | None:
    """Return the hierarchy of a controller such as `memory`; None where there is none but the whole host."""
    content, mountinfo = read_or_none(f"{proc}/self/cgroup"), read_or_none(f"{proc}/self/mountinfo")
    if content is None or mountinfo is None:
        return None
    mounts = parse_mounts(mountinfo)
    unified: str | None = None
    for line in content.decode(errors="surrogateescape").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            unified = path
        elif controller in controllers.split(","):
            held = [each for each in mounts if each.type == "cgroup" and controller in each.options.split(",")]
            if held:
                return _hierarchy(1, path, held[-1])
    held = [each for each in mounts if each.type == "cgroup2"]
    return _hierarchy(2, unified, held[-1]) if unified is not None and held else None


def unified(proc: str = "/proc") -> str | None:
    """Return the directory of the process in version 2, whatever controllers are there; None without one."""
    hierarchy = find("", proc)
    return hierarchy.levels[0] if hierarchy is not None and hierarchy.version == 2 else None


def cpu_limit(hierarchy: Hierarchy) -> Limit | None:
    """Return the least CPU quota, in CPUs."""
    return _least(hierarchy, _cpu_quota)


def memory_limit(hierarchy: Hierarchy, name: str = "memory.max") -> Limit | None:
    """Return the least limit of memory in bytes.

    Args:
        hierarchy: Where.
        name: Which limit, in the words of version 2: `memory.max`, `memory.high` or `memory.swap.max`. Of version 1
            only the first is read.
    """
    file = name if hierarchy.version == 2 else "memory.limit_in_bytes" if name == "memory.max" else None
    return None if file is None else _least(hierarchy, lambda level, _: number(f"{level}/{file}"))


def number(path: str) -> int | None:
    """Return the one number of a file; None where it cannot be read or says that there is no limit."""
    content = read_or_none(path)
    if content is None or not content.strip().isdigit():
        return None
    value = int(content)
    return value if value < NO_LIMIT else None


def _hierarchy(version: int, path: str, mount: Mount) -> Hierarchy | None:
    levels = tuple(level for level in _levels(path, mount) if not _is_whole_host(level, version))
    return Hierarchy(version, levels) if levels else None


def _is_whole_host(level: str, version: int) -> bool:
    # The root of a namespace looks like the root of the host, but for files that only one of them has.
    if version == 2:
        return not os.path.exists(f"{level}/cgroup.events")
    return os.path.exists(f"{level}/release_agent")


def _levels(path: str, mount: Mount) -> tuple[str, ...]:
    inside = path
    if mount.root != "/":
        # Without a namespace of its own, a container sees its path on the host, and the mount begins at that path.
        inside = path[len(mount.root) :] if path == mount.root or path.startswith(mount.root + "/") else ""
    inside = inside.rstrip("/")
    directory = mount.point + inside
    if ".." in inside.split("/") or not os.path.isdir(directory):
        # The process was moved out of what its namespace shows.
        return (mount.point,)
    levels = [directory]
    while len(directory) > len(mount.point):
        directory = directory.rpartition("/")[0]
        levels.append(directory)
    return tuple(levels)


def _cpu_quota(level: str, version: int) -> float | None:
    if version == 2:
        words = (read_or_none(f"{level}/cpu.max") or b"").split()
        return int(words[0]) / int(words[1]) if len(words) == 2 and words[0].isdigit() else None
    quota, period = number(f"{level}/cpu.cfs_quota_us"), number(f"{level}/cpu.cfs_period_us")
    return quota / period if quota and period else None


def _least(hierarchy: Hierarchy, value_of: _ValueOf) -> Limit | None:
    found = [
        Limit(value, level) for level in hierarchy.levels if (value := value_of(level, hierarchy.version)) is not None
    ]
    return min(found, key=lambda each: each.value, default=None)
