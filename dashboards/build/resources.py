"""The dashboard Resources: what a run uses, ranks and GPUs side by side."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from dashboards.build import colors, devices, hosts, links, promql, variables
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.layout import dashboard
from dashboards.build.panels import lines
from dashboards.build.promql import HOST, OF_RUN, RANK, TRAIN, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.semconv import Bottleneck

_RANK: Final = f"rank {{{{{RANK}}}}}"


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "Trainings: resources",
        links.RESOURCES,
        "What a run uses of GPUs, memory, hosts, disks and network, and how its ranks differ.",
        [variables.service(several=False), variables.run(), variables.host_of_run(), variables.rank()],
        [
            ("Ranks side by side", _ranks()),
            ("GPU", devices.gpus()),
            ("PyTorch's memory", devices.torch_memory()),
            ("Process and its data", _process()),
            ("Host", hosts.hosts()),
        ],
        alerts=f'ALERTS{{alertstate="firing", {HOST}=~"$host"}}',
        of_one_run=True,
    )


def _ranks() -> list[Builder[Panel]]:
    waits = (
        (at.VERDICT_SHARES[Bottleneck.DATA], colors.ATTENTION),
        (at.TRAINING_DATA_STARVATION, colors.BAD),
    )
    return [
        lines(
            Face(
                "Batch time by rank",
                "Mean time of a training batch on each rank. Ranks wait for each other, so that the lines lie "
                "together; which one they wait for is in Straggling, and in the phases of a batch trace.",
                units.Seconds,
            ),
            Query(promql.mean(semconv.METRIC_BATCH_DURATION, *OF_RUN, TRAIN, by=RANK), _RANK),
        ),
        lines(
            Face(
                "Straggling",
                "How much later than the median rank a rank arrives at the end of a step. One rank that stays above "
                "the line holds up all others: compare its data wait, GPU clock and host with the rest.",
                units.Seconds,
                steps=((at.TRAINING_STRAGGLER, colors.ATTENTION),),
                empty="one rank, or not measured",
            ),
            Query(f"max by ({RANK}) ({series(semconv.STRAGGLER_DELAY, *OF_RUN)})", _RANK),
            limits=(None, None),
        ),
        lines(
            Face(
                "Waiting for data by rank",
                "Share of time in which a rank's loop waited for its dataloader. One rank alone: its host, disk or "
                "shard is slow. All: the pipeline is.",
                units.PercentUnit,
                steps=waits,
            ),
            Query(f"avg by ({RANK}) ({series(semconv.METRIC_DATA_WAIT, *OF_RUN, TRAIN)})", _RANK),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Throughput by rank",
                "Samples a second of each rank. Ranks that do different numbers of samples have batches or shards of "
                "different size.",
                "suffix:samples/s",
            ),
            Query(f"sum by ({RANK}) ({series(semconv.METRIC_THROUGHPUT_SAMPLES, *OF_RUN, TRAIN)})", _RANK),
        ),
    ]


def _process() -> list[Builder[Panel]]:
    disk = rate(series(semconv.PROCESS_DISK_IO, *OF_RUN))
    direction = "disk_io_direction"
    hits = f"sum({rate(series(semconv.METRIC_CACHE_HITS, *OF_RUN))})"
    misses = f"sum({rate(series(semconv.METRIC_CACHE_MISSES, *OF_RUN))})"
    part = semconv.PART
    workers = promql.quantile(0.95, semconv.METRIC_WORKER_DURATION, *OF_RUN, TRAIN, by=f"{RANK}, {part}")
    return [
        lines(
            Face(
                "Memory of the process",
                "Resident memory of each training process, without its workers. It climbs from epoch to epoch: a leak, "
                "often lists of tensors in the dataset or of logged values.",
                units.BytesIEC,
                width=8,
                empty="not measured",
            ),
            Query(f"max by ({RANK}) ({series(semconv.PROCESS_MEMORY, *OF_RUN)})", _RANK),
        ),
        lines(
            Face(
                "CPU of the process",
                "Share of one CPU that the training process uses, its workers not counted. Near 100 % while the GPU "
                "idles: Python is the bottleneck; launch less, compile, or move work to workers.",
                units.PercentUnit,
                width=8,
                empty="not measured",
            ),
            Query(f"max by ({RANK}) ({series(semconv.PROCESS_CPU, *OF_RUN)})", _RANK),
        ),
        lines(
            Face(
                "Disk traffic of the process",
                "Bytes a second that the training process reads and writes. Writing in bursts is checkpoints; workers "
                "read for themselves, see the host's disks.",
                units.BytesPerSecondIEC,
                width=8,
                empty="not measured",
            ),
            Query(f"sum by ({RANK}, {direction}) ({disk})", f"{_RANK} {{{{{direction}}}}}"),
        ),
        lines(
            Face(
                "Dataloader workers by rank",
                "95th percentile of the time to make one batch in a worker, by rank and part. One rank above the "
                "others: its disk or shard. `dataset` far above `collate`: reading and decoding.",
                units.Seconds,
                width=16,
            ),
            Query(workers, f"{_RANK} {{{{{part}}}}}"),
        ),
        lines(
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
        ),
    ]
