"""The panels about what the kernel makes the training wait for, and the limits of its container."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import HOST, OF_RUN, RANK, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

_RANK: Final = f"rank {{{{{RANK}}}}}"


def limits() -> list[Builder[Panel]]:
    """Return pressure, throttling by a CPU quota, and memory against its limit."""
    pressure = rate(series(semconv.PRESSURE_TIME, *OF_RUN, 'kind="some"'))
    ran_out, periods = (
        f"sum by ({RANK}) ({rate(series(each, *OF_RUN))})"
        for each in (semconv.CGROUP_CPU_THROTTLED_PERIODS, semconv.CGROUP_CPU_PERIODS)
    )
    working, charged, limit = (
        f"max by ({RANK}) ({series(each, *OF_RUN)})"
        for each in (semconv.CGROUP_MEMORY_WORKING_SET, semconv.CGROUP_MEMORY_USAGE, semconv.CGROUP_MEMORY_LIMIT)
    )
    return [
        lines(
            Face(
                "Pressure",
                "Share of time in which some task waited for CPU, memory or I/O, of the container or else the host. "
                "I/O: the disks are the limit. CPU: more threads than CPUs. Memory at all: it is nearly out, and the "
                "kernel makes room while the training waits.",
                units.PercentUnit,
                steps=((0.1, colors.ATTENTION), (0.4, colors.BAD)),
                empty="the kernel does not tell",
            ),
            Query(f"max by ({HOST}, resource) ({pressure})", f"{{{{{HOST}}}}} {{{{resource}}}}"),
        ),
        lines(
            Face(
                "Held back by the CPU quota",
                "Share of the quota's periods in which it ran out: all processes of the container then stand still "
                "until the next one, which makes slow batches at random. Raise the quota, or use fewer workers and "
                "threads.",
                units.PercentUnit,
                steps=((0.05, colors.ATTENTION), (0.25, colors.BAD)),
                empty="no CPU quota",
            ),
            Query(f"{ran_out} / ({periods} > 0)", _RANK),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Memory of the container",
                "What the kernel charges to the container, with the page cache, and what of it cannot be given up. "
                "When the latter reaches the limit, the kernel kills the largest process: fewer workers, a smaller "
                "prefetch factor, or memory-mapped data. The former near the limit is only a full cache.",
                units.BytesIEC,
                empty="no container",
            ),
            Query(working, f"{_RANK} working set"),
            Query(charged, f"{_RANK} with page cache"),
            Query(limit, f"{_RANK} limit"),
        ),
        lines(
            Face(
                "Memory against its limit",
                "The working set as a share of the container's limit. Above the line the kernel soon kills a process, "
                "and the run ends without an exception.",
                units.PercentUnit,
                width=6,
                steps=((0.9, colors.ATTENTION), (0.97, colors.BAD)),
                empty="no limit",
            ),
            Query(f"max by ({RANK}) ({series(semconv.CGROUP_MEMORY_UTILIZATION, *OF_RUN)})", _RANK),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Memory was short",
                "How often a second memory was above `high`, at the limit, out, or a process was killed for it. Any "
                "`oom_kill`: a worker or the training is gone; see Memory of the workers before it.",
                units.CountsPerSecond,
                width=6,
                steps=((1e-9, colors.BAD),),
                empty="no container",
            ),
            Query(
                f"sum by ({RANK}, kind) ({rate(series(semconv.CGROUP_MEMORY_EVENTS, *OF_RUN))})",
                f"{_RANK} {{{{kind}}}}",
            ),
        ),
    ]
