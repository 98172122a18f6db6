"""The panels about the training process, its dataloader workers and the cache of its data set."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors, promql
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import OF_RUN, RANK, ROLE, TRAIN, WORKER, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.semconv import ProcessRole

_RANK: Final = f"rank {{{{{RANK}}}}}"
_MAIN: Final = f'{ROLE}="{ProcessRole.MAIN}"'
_WORKER: Final = f'{ROLE}="{ProcessRole.WORKER}"'


def processes() -> list[Builder[Panel]]:
    """Return CPU and memory of the training process and of its workers, and how the workers get on."""
    cpu = rate(series(semconv.PROCESS_CPU_TIME, *OF_RUN, _MAIN))
    of_workers = rate(series(semconv.PROCESS_CPU_TIME, *OF_RUN, _WORKER))
    resident = series(semconv.PROCESS_MEMORY, *OF_RUN, _WORKER)
    waits = rate(series(semconv.PROCESS_CONTEXT_SWITCHES, *OF_RUN, 'process_context_switch_type="involuntary"'))
    faults = rate(series(semconv.PROCESS_PAGING_FAULTS, *OF_RUN, 'system_paging_fault_type="major"'))
    return [
        lines(
            Face(
                "CPU of the process",
                "CPUs that each training process keeps busy, its workers not counted; 100 % is one CPU. Near 100 % "
                "while the GPU idles: Python is the bottleneck; launch less, compile, or move work to workers.",
                units.PercentUnit,
                empty="not measured",
            ),
            Query(f"sum by ({RANK}) ({cpu})", _RANK),
        ),
        lines(
            Face(
                "CPU of the workers",
                "The busiest dataloader worker of each rank; 100 % is one CPU. At the line while the loop waits for "
                "data: decoding is the bottleneck, so more workers or cheaper transforms help. Far below it: the "
                "workers wait for data themselves, see I/O.",
                units.PercentUnit,
                steps=((0.9, colors.ATTENTION),),
                empty="no workers",
            ),
            Query(f"max by ({RANK}) (sum by ({RANK}, {WORKER}) ({of_workers}))", _RANK),
        ),
        lines(
            Face(
                "Memory of the process",
                "Resident memory of each training process, without its workers. It climbs from epoch to epoch: a leak, "
                "often lists of tensors or of logged values that keep graphs.",
                units.BytesIEC,
                width=8,
                empty="not measured",
            ),
            Query(f"max by ({RANK}) ({series(semconv.PROCESS_MEMORY, *OF_RUN, _MAIN)})", _RANK),
        ),
        lines(
            Face(
                "Memory of the workers",
                "Resident memory of the workers of each rank, all and the largest; what they share is counted for "
                "each. It climbs within an epoch: Python objects of the data set are copied as they are touched; keep "
                "them in arrays.",
                units.BytesIEC,
                width=8,
                empty="no workers",
            ),
            Query(f"sum by ({RANK}) ({resident})", f"{_RANK} all"),
            Query(f"max by ({RANK}) ({resident})", f"{_RANK} largest"),
        ),
        lines(
            Face(
                "Memory of workers alone",
                "The most that any worker of a rank shares with no other process: what one more worker costs. It "
                "climbs while resident memory stays: copies of what was shared after the fork.",
                units.BytesIEC,
                width=8,
                empty="no workers",
            ),
            Query(f"max by ({RANK}) ({series(semconv.PROCESS_MEMORY_UNIQUE, *OF_RUN)})", _RANK),
        ),
        lines(
            Face(
                "Held up by the kernel",
                "Times a second that a process had to give up its CPU, and page faults that waited for a disk, all "
                "processes of a rank. The first high: more runnable threads than CPUs, lower `num_workers` or "
                "`torch.set_num_threads`. The second: memory-mapped data that is not in memory yet.",
                units.CountsPerSecond,
                width=8,
                empty="not measured",
            ),
            Query(f"sum by ({RANK}) ({waits})", f"{_RANK} lost a CPU"),
            Query(f"sum by ({RANK}) ({faults})", f"{_RANK} waited for a page"),
        ),
        lines(
            Face(
                "Dataloader workers by rank",
                "95th percentile of the time to make one batch in a worker, by rank and part. One rank above the "
                "others: its disk or shard. `dataset` far above `collate`: reading and decoding.",
                units.Seconds,
                width=8,
            ),
            Query(
                promql.quantile(0.95, semconv.METRIC_WORKER_DURATION, *OF_RUN, TRAIN, by=f"{RANK}, {semconv.PART}"),
                f"{_RANK} {{{{{semconv.PART}}}}}",
            ),
        ),
        _cache(),
    ]


def _cache() -> Builder[Panel]:
    hits = f"sum({rate(series(semconv.METRIC_CACHE_HITS, *OF_RUN))})"
    misses = f"sum({rate(series(semconv.METRIC_CACHE_MISSES, *OF_RUN))})"
    return lines(
        Face(
            "Hits of the dataset's cache",
            "Share of samples that came from the dataset's cache. It should climb in the first epoch and stay; if "
            "it stays low, the cache is smaller than what a worker reads in an epoch.",
            units.PercentUnit,
            width=8,
            empty="the dataset counts none",
        ),
        Query(f"{hits} / ({hits} + {misses} > 0)", "hits"),
        limits=(0, 1),
    )
