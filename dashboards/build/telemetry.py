"""The dashboard Telemetry health: whether what the other dashboards show is all there is."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from dashboards.build import colors, links, promql, servers, stack, variables
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.layout import dashboard
from dashboards.build.panels import lines, number
from dashboards.build.promql import BY_RUN, OF_FLEET, RANGE, last, or_zero, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv

_ALERTS: Final = "Telemetry.*|TrainingSpansDropped|TrainingInstrumentationErrors"
_RUN: Final = f"{{{{{promql.SERVICE}}}}} {{{{{promql.RUN}}}}}"
_REAL: Final = f'{semconv.CAUSE}!="none"'
"""A part of ours that has no error or loss yet says 0 for the cause `none`."""
_OVERHEAD_STEPS: Final = ((0.01, colors.ATTENTION), (0.03, colors.BAD))


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "Trainings: telemetry health",
        links.TELEMETRY,
        "Whether telemetry arrives whole: queues, refusals, losses, and what our own instrumentation costs and misses.",
        [variables.server(), variables.service(several=True), variables.host_of_fleet()],
        [("Now", _now()), ("Servers", stack.work()), ("In the trainings", _trainings()), ("Storage", stack.storage())],
        alerts=f'ALERTS{{alertstate="firing", alertname=~"{_ALERTS}"}}',
        of_one_run=False,
    )


def _overhead(by: str) -> str:
    # Seconds of ours in a second of a process, that of the process which pays most.
    spent = rate(series(semconv.METRIC_OVERHEAD, *OF_FLEET))
    return f"max by ({by}) (sum by ({by}, instance) ({spent}))" if by else f"max(sum by (instance) ({spent}))"


def _now() -> list[Builder[Panel]]:
    errors = last(series(semconv.METRIC_ERRORS, *OF_FLEET, _REAL))
    dropped = last(series(semconv.METRIC_SPANS_DROPPED, *OF_FLEET, _REAL))
    lost = [f"({or_zero(f'sum(increase({stack.of(each)}[{RANGE}]))')})" for each in servers.LOSSES]
    one = ((1, colors.BAD),)
    return [
        number(
            Face(
                "Servers down",
                "Servers of the stack that Prometheus cannot read. While one is down, silent runs may be well: start "
                "it before you look at runs.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=one,
            ),
            Query(or_zero(f"count({stack.of(servers.UP)} == 0)")),
        ),
        number(
            Face(
                "Fullest queue",
                "Share of its place that waits in the fullest queue of an exporter. Above 50 % what comes after it "
                "does not answer or is too slow; nothing is lost before 100 %.",
                units.PercentUnit,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=((at.TELEMETRY_QUEUE_FILLING, colors.ATTENTION), (0.9, colors.BAD)),
            ),
            Query(f"max({stack.FULL})"),
        ),
        number(
            Face(
                "Lost",
                "Spans and points that a Collector gave up or had no place for, in the time shown. See which exporter "
                "under Losses, and its log.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=one,
            ),
            Query(" + ".join(lost), now=True),
        ),
        number(
            Face(
                "Spans dropped by trainings",
                "Spans that trainings made and could not deliver, in the runs of the time shown. Cause and run are "
                "below.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=one,
            ),
            Query(or_zero(f"sum({dropped})"), now=True),
        ),
        number(
            Face(
                "Our errors",
                "Failures of our instrumentation that were caught, in the runs of the time shown. The trainings went "
                "on; a part of their telemetry is missing. Cause and run are below: please report them.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=one,
            ),
            Query(or_zero(f"sum({errors})"), now=True),
        ),
        number(
            Face(
                "Our overhead",
                "Share of its time that the training which pays most gives to our hooks. Above 1 %: batches are tiny, "
                "or OCR_OTEL_BATCH_SPANS is high.",
                units.PercentUnit,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=_OVERHEAD_STEPS,
            ),
            Query(_overhead("")),
        ),
    ]


def _trainings() -> list[Builder[Panel]]:
    spent = rate(series(semconv.METRIC_OVERHEAD, *OF_FLEET))
    age = f"time() - timestamp({series(semconv.METRIC_RUN_ACTIVE, *OF_FLEET)})"
    return [
        lines(
            Face(
                "Overhead by part",
                "Share of a training's time that each of our parts takes, mean over processes. The largest one is what "
                "to make smaller: see the page on performance.",
                units.PercentUnit,
                steps=_OVERHEAD_STEPS,
            ),
            Query(f"avg by ({semconv.PART}) ({spent})", f"{{{{{semconv.PART}}}}}"),
        ),
        lines(
            Face(
                "Overhead by run",
                "Share of its time that a run gives to our hooks, of the process that pays most. A run that stands out "
                "has tiny batches or keeps many of them.",
                units.PercentUnit,
                steps=_OVERHEAD_STEPS,
            ),
            Query(_overhead(BY_RUN), _RUN),
            link=links.run_of_series(promql.SERVICE, promql.RUN),
        ),
        lines(
            Face(
                "Spans dropped",
                "Spans that a run could not deliver so far, by cause. `none` at 0 is all well. Queue full: its batches "
                "come faster than the Collector takes them; otherwise ask `ocr-otel doctor` where they end.",
                units.Short,
                width=8,
                steps=((1, colors.BAD),),
            ),
            Query(
                f"sum by ({BY_RUN}, {semconv.CAUSE}) ({series(semconv.METRIC_SPANS_DROPPED, *OF_FLEET)})",
                f"{_RUN} {{{{{semconv.CAUSE}}}}}",
            ),
        ),
        lines(
            Face(
                "Errors caught",
                "Failures of our instrumentation so far, by the part where they were caught. `none` at 0 is all well. "
                "The log of the training has the traceback.",
                units.Short,
                width=8,
                steps=((1, colors.BAD),),
            ),
            Query(
                f"sum by ({BY_RUN}, {semconv.CAUSE}) ({series(semconv.METRIC_ERRORS, *OF_FLEET)})",
                f"{_RUN} {{{{{semconv.CAUSE}}}}}",
            ),
        ),
        lines(
            Face(
                "Age of the newest export",
                "Time since each run was last heard of. A saw tooth of one minute is usual; above three minutes it is "
                "silent: it was killed, or something between it and Prometheus is down.",
                units.Seconds,
                width=8,
                steps=((180, colors.ATTENTION),),
            ),
            Query(f"min by ({BY_RUN}) ({age})", _RUN),
            link=links.run_of_series(promql.SERVICE, promql.RUN),
        ),
    ]
