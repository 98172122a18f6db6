"""Limits of the container and how near the training is to them: throttled CPUs, memory, swap, kills."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Final

from ocr_otel import semconv
from ocr_otel.resources.host import cgroups
from ocr_otel.resources.host.reading import MIN_INTERVAL, Growth, fields, read_or_none
from ocr_otel.resources.readings import Reading, Unavailable, series

NONE: Final = "the process is in no cgroup that counts CPU time or memory"
LIMITS_EVERY: Final = 30
"""Readings after which the limits are looked for again: they seldom change, and every ancestor has some."""

_CPU_TIME: Final = series(semconv.CGROUP_CPU_TIME)
_CPU_LIMIT: Final = series(semconv.CGROUP_CPU_LIMIT)
_CPU_UTILIZATION: Final = series(semconv.CGROUP_CPU_UTILIZATION)
_MEMORY_USAGE: Final = series(semconv.CGROUP_MEMORY_USAGE)
_MEMORY_WORKING_SET: Final = series(semconv.CGROUP_MEMORY_WORKING_SET)
_MEMORY_LIMIT: Final = series(semconv.CGROUP_MEMORY_LIMIT)
_MEMORY_HIGH: Final = series(semconv.CGROUP_MEMORY_HIGH)
_MEMORY_UTILIZATION: Final = series(semconv.CGROUP_MEMORY_UTILIZATION)
_MEMORY_EVENTS: Final = {
    kind: series(semconv.CGROUP_MEMORY_EVENTS, kind=kind) for kind in ("high", "max", "oom", "oom_kill")
}
_SWAP_USAGE: Final = series(semconv.CGROUP_SWAP_USAGE)
_SWAP_LIMIT: Final = series(semconv.CGROUP_SWAP_LIMIT)


class CgroupSource:
    """Reads the cgroup with the least limit among the process's own and its ancestors, for that is the one that binds.

    Without any limit it reads the process's own.

    Args:
        proc: Where procfs is.
    """

    name = "cgroup"

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._growth = Growth()
        self._readings = 0
        self._last_cpu: tuple[float, float] | None = None
        self._cpu: cgroups.Hierarchy | None = None
        self._accounting: cgroups.Hierarchy | None = None
        self._memory: cgroups.Hierarchy | None = None
        self.quota: cgroups.Limit | None = None
        self.limit: cgroups.Limit | None = None
        self._high: cgroups.Limit | None = None
        self._swap: cgroups.Limit | None = None

    def open(self) -> None:
        """Find the cgroups.

        Raises:
            Unavailable: There is none, or it counts nothing, as the root of version 2.
        """
        self._cpu, self._memory = cgroups.find("cpu", self._proc), cgroups.find("memory", self._proc)
        self._accounting = cgroups.find("cpuacct", self._proc)
        self._find_limits()
        if not list(self.read()):
            raise Unavailable(NONE)

    def read(self) -> Iterator[Reading]:
        """Yield what is counted and what is limited."""
        self._readings += 1
        if self._readings % LIMITS_EVERY == 0:
            self._find_limits()
        yield from self._read_cpu()
        yield from self._read_memory()

    def close(self) -> None:
        """Nothing is held."""

    def _find_limits(self) -> None:
        if self._cpu is not None:
            self.quota = cgroups.cpu_limit(self._cpu)
        if self._memory is not None:
            self.limit = cgroups.memory_limit(self._memory)
            self._high = cgroups.memory_limit(self._memory, "memory.high")
            self._swap = cgroups.memory_limit(self._memory, "memory.swap.max")

    def _read_cpu(self) -> Iterator[Reading]:
        if self._cpu is None:
            return
        level = self.quota.level if self.quota is not None else self._cpu.levels[0]
        counted = fields(read_or_none(f"{level}/cpu.stat") or b"")
        seconds = self._cpu_seconds(counted)
        if seconds is not None:
            yield self._growth(_CPU_TIME, seconds)
        if self.quota is None:
            return
        yield _CPU_LIMIT, self.quota.value
        now, last = monotonic(), self._last_cpu
        if seconds is not None:
            if last is None or now - last[0] >= MIN_INTERVAL:
                self._last_cpu = now, seconds
            if last is not None and now - last[0] >= MIN_INTERVAL:
                yield _CPU_UTILIZATION, (seconds - last[1]) / (now - last[0]) / self.quota.value
        for name, metric, scale in (
            ("nr_periods", semconv.CGROUP_CPU_PERIODS, 1.0),
            ("nr_throttled", semconv.CGROUP_CPU_THROTTLED_PERIODS, 1.0),
            ("throttled_usec", semconv.CGROUP_CPU_THROTTLED_TIME, 1e-6),
            ("throttled_time", semconv.CGROUP_CPU_THROTTLED_TIME, 1e-9),
        ):
            if name in counted:
                yield self._growth(series(metric), counted[name] * scale)

    def _cpu_seconds(self, counted: dict[str, int]) -> float | None:
        if "usage_usec" in counted:
            return counted["usage_usec"] / 1e6
        if self._accounting is None or self._accounting.version != 1:
            return None
        nanoseconds = cgroups.number(f"{self._accounting.levels[0]}/cpuacct.usage")
        return None if nanoseconds is None else nanoseconds / 1e9

    def _read_memory(self) -> Iterator[Reading]:
        if self._memory is None:
            return
        level = self.limit.level if self.limit is not None else self._memory.levels[0]
        first = self._memory.version == 1
        usage = cgroups.number(f"{level}/{'memory.usage_in_bytes' if first else 'memory.current'}")
        if usage is None:
            return
        yield _MEMORY_USAGE, usage
        inactive = fields(read_or_none(f"{level}/memory.stat") or b"").get(
            "total_inactive_file" if first else "inactive_file"
        )
        if inactive is not None:
            yield _MEMORY_WORKING_SET, max(0, usage - inactive)
        if self.limit is not None:
            yield _MEMORY_LIMIT, self.limit.value
            if inactive is not None:
                yield _MEMORY_UTILIZATION, max(0, usage - inactive) / self.limit.value
        if self._high is not None:
            yield _MEMORY_HIGH, self._high.value
        for kind, count in _events(level, first).items():
            yield self._growth(_MEMORY_EVENTS[kind], count)
        swap = _swap_usage(level, usage, first)
        if swap is not None:
            yield _SWAP_USAGE, swap
        if self._swap is not None:
            yield _SWAP_LIMIT, self._swap.value


def _events(level: str, first: bool) -> dict[str, int]:
    if not first:
        counted = fields(read_or_none(f"{level}/memory.events") or b"")
        return {kind: counted[kind] for kind in _MEMORY_EVENTS if kind in counted}
    kills = fields(read_or_none(f"{level}/memory.oom_control") or b"")
    found = {"max": cgroups.number(f"{level}/memory.failcnt"), "oom_kill": kills.get("oom_kill")}
    return {kind: count for kind, count in found.items() if count is not None}


def _swap_usage(level: str, usage: int, first: bool) -> int | None:
    if not first:
        return cgroups.number(f"{level}/memory.swap.current")
    both = cgroups.number(f"{level}/memory.memsw.usage_in_bytes")
    return None if both is None else max(0, both - usage)
