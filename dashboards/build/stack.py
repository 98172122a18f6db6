"""The panels about the servers of the stack: Collectors, Jaeger and Prometheus."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors, servers
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import OF_STACK, rate
from dashboards.build.queries import Query

_OF_SERVER: Final = (OF_STACK, 'server=~"$server"')
_IN_JAEGER: Final = f'{servers.ACCEPTED_SPANS}{{{OF_STACK}, server="jaeger"}}'
_SERVER: Final = "{{server}} {{instance}}"
_EXPORTER: Final = "{{server}} {{exporter}}"


def of(metric: str) -> str:
    """Return the selector of a servers' metric, for the chosen servers."""
    return f"{metric}{{{', '.join(_OF_SERVER)}}}"


FULL: Final = f"{of(servers.QUEUE_SIZE)} / ignoring (__name__) ({of(servers.QUEUE_CAPACITY)} > 0)"
"""Share of its place that waits in each queue."""


def work() -> list[Builder[Panel]]:
    """Return queues, what is received, sent, refused and lost, and what the servers use."""
    return [
        lines(
            Face(
                "Queues",
                "Share of its place that waits in each exporter's queue. A saw tooth is batching. A climb: the next "
                "server is down or slow; a full queue refuses what comes.",
                units.PercentUnit,
                steps=((at.TELEMETRY_QUEUE_FILLING, colors.ATTENTION),),
            ),
            Query(f"max by (server, instance, exporter, data_type) ({FULL})", f"{_EXPORTER} {{{{data_type}}}}"),
            limits=(0, 1),
        ),
        lines(
            Face(
                "Received",
                "Spans and points that each server accepts a second. A line that falls to 0 while trainings run: what "
                "is before it does not send.",
                units.CountsPerSecond,
            ),
            Query(f"sum by (server, instance) ({rate(of(servers.ACCEPTED_SPANS))})", f"{_SERVER} spans"),
            Query(f"sum by (server, instance) ({rate(of(servers.ACCEPTED_POINTS))})", f"{_SERVER} points"),
        ),
        lines(
            Face(
                "Sent",
                "Spans and points that each exporter hands over a second. Behind what is received for long: tail "
                "sampling drops on purpose, or the queue fills.",
                units.CountsPerSecond,
                width=8,
            ),
            Query(f"sum by (server, exporter) ({rate(of(servers.SENT_SPANS))})", f"{_EXPORTER} spans"),
            Query(f"sum by (server, exporter) ({rate(of(servers.SENT_POINTS))})", f"{_EXPORTER} points"),
        ),
        lines(
            Face(
                "Refused",
                "Spans and points that a server refuses a second: its memory limit or its queue is reached. The sender "
                "tries again, so that a spike is harmless; if it goes on, give it more memory.",
                units.CountsPerSecond,
                width=8,
                steps=((1e-9, colors.ATTENTION),),
            ),
            *(
                Query(f"sum by (server, instance) ({rate(of(metric))})", f"{_SERVER} {what}")
                for metric, what in servers.REFUSALS.items()
            ),
        ),
        lines(
            Face(
                "Losses",
                "Spans and points that an exporter gives up a second, after all retries, or has no place for. They are "
                "gone: the exporter's log says why.",
                units.CountsPerSecond,
                width=8,
                steps=((1e-9, colors.BAD),),
                empty="none so far",
            ),
            *(
                Query(f"sum by (server, exporter) ({rate(of(metric))})", f"{_EXPORTER} {what}")
                for metric, what in servers.LOSSES.items()
            ),
        ),
        lines(
            Face(
                "Memory",
                "Resident memory of each server. The memory limiter refuses at its `limit_mib`; a line that comes near "
                "it will show under Refused next.",
                units.BytesIEC,
            ),
            Query(f"max by (server, instance) ({of(servers.MEMORY)})", _SERVER),
        ),
        lines(
            Face(
                "CPU",
                "CPUs that each server uses; 100 % is one of them. A Collector takes about one for 15,000 small spans "
                "a second.",
                units.PercentUnit,
            ),
            Query(f"sum by (server, instance) ({rate(of(servers.CPU))})", _SERVER),
        ),
    ]


def storage() -> list[Builder[Panel]]:
    """Return what Prometheus and Jaeger hold and take."""
    return [
        lines(
            Face(
                "Series in Prometheus",
                "Series in memory. Each rank of a run adds some hundreds; a climb without new runs means that a "
                "label has too many values.",
                units.Short,
                width=8,
            ),
            Query(of(servers.SERIES), _SERVER),
        ),
        lines(
            Face(
                "Exemplars in Prometheus",
                "Exemplars that heat maps can still show. The oldest are overwritten: at the limit, older batches have "
                "no marker any more, and are still in Jaeger.",
                units.Short,
                width=8,
            ),
            Query(of(servers.EXEMPLARS), _SERVER),
        ),
        lines(
            Face(
                "Spans into Jaeger",
                "Spans that Jaeger's receiver accepts a second: what is stored. Zero while the gateway sends: look at "
                "the gateway's queue and Jaeger's log.",
                units.CountsPerSecond,
                width=8,
            ),
            Query(f"sum by (server, instance) ({rate(_IN_JAEGER)})", _SERVER),
        ),
    ]
