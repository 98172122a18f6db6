"""The dashboard Resources: what a run uses, ranks and GPUs side by side."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from dashboards.build import (
    colors,
    devices,
    disks,
    hosts,
    limits,
    links,
    processes,
    promql,
    ranks,
    torch_memory,
    variables,
)
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.layout import dashboard
from dashboards.build.panels import lines
from dashboards.build.promql import HOST, OF_RUN, RANK, TRAIN, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.semconv import Bottleneck


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "Trainings: resources",
        links.RESOURCES,
        "What a run uses of GPUs, memory, CPUs, disks and network, what holds it back there, and how its ranks differ.",
        [variables.service(several=False), variables.run(), variables.host_of_run(), variables.rank()],
        [
            ("Ranks side by side", _ranks()),
            ("GPU", devices.gpus()),
            ("PyTorch's memory", torch_memory.torch_memory()),
            ("Process and its workers", processes.processes()),
            ("I/O", disks.disks()),
            ("Pressure and limits", limits.limits()),
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
                "together; which one they wait for is in Delay by rank, and in the phases of a batch trace.",
                units.Seconds,
            ),
            Query(promql.mean(semconv.METRIC_BATCH_DURATION, *OF_RUN, TRAIN, by=RANK), ranks.NAMED),
        ),
        ranks.delay(width=12),
        lines(
            Face(
                "Waiting for data by rank",
                "Share of time in which a rank's loop waited for its dataloader. One rank alone: its host, disk or "
                "shard is slow. All: the pipeline is.",
                units.PercentUnit,
                steps=waits,
            ),
            Query(f"avg by ({RANK}) ({series(semconv.METRIC_DATA_WAIT, *OF_RUN, TRAIN)})", ranks.NAMED),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Throughput by rank",
                "Samples a second of each rank. Ranks that do different numbers of samples have batches or shards of "
                "different size.",
                "suffix:samples/s",
            ),
            Query(f"sum by ({RANK}) ({series(semconv.METRIC_THROUGHPUT_SAMPLES, *OF_RUN, TRAIN)})", ranks.NAMED),
        ),
    ]
