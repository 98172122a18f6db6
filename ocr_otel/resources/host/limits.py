"""How many CPUs and how much memory the training may really use."""

from __future__ import annotations

import os

from ocr_otel.resources.host import cgroups
from ocr_otel.resources.host.reading import read_or_none


def cpus(proc: str = "/proc") -> float:
    """Return the CPUs that this process may use: the least of its affinity, which follows a cpuset, and its quotas."""
    allowed = float(len(os.sched_getaffinity(0)))
    hierarchy = cgroups.find("cpu", proc)
    quota = cgroups.cpu_limit(hierarchy) if hierarchy is not None else None
    return allowed if quota is None else min(allowed, quota.value)


def memory(proc: str = "/proc") -> int | None:
    """Return the bytes that this process may use: the least of the host's memory and its cgroups' limits."""
    total = None
    for line in (read_or_none(f"{proc}/meminfo") or b"").splitlines():
        if line.startswith(b"MemTotal:"):
            total = int(line.split()[1]) * 1024
            break
    hierarchy = cgroups.find("memory", proc)
    limit = cgroups.memory_limit(hierarchy) if hierarchy is not None else None
    found = [int(each) for each in (total, limit.value if limit is not None else None) if each is not None]
    return min(found, default=None)
