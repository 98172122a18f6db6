"""The dashboard Fleet: all runs now."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, DynamicConfigValue, Panel

from dashboards.build import colors, links, promql, variables
from dashboards.build import thresholds as at
from dashboards.build.face import Face, value_map
from dashboards.build.layout import dashboard
from dashboards.build.panels import bars, lines, number, rows
from dashboards.build.promql import BY_RUN, OF_FLEET, TRAIN, last, or_zero, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.semconv import Bottleneck, Outcome

_STATES: Final = {
    "0": ("ended", colors.CALM),
    "1": ("running", colors.GOOD),
    "2": ("stalled", colors.ATTENTION),
    "3": ("silent", colors.BAD),
    "4": ("failed", colors.BAD),
}
_LOST: Final = f'{semconv.OUTCOME_LABEL}=~"{Outcome.FAILED}|{Outcome.KILLED}"'
_COMPUTES: Final = f'{promql.GPU_TASK}!~"encoder|decoder"'
_RUN_LEGEND: Final = f"{{{{{promql.SERVICE}}}}} {{{{{promql.RUN}}}}}"

_ACTIVE: Final = f"max by ({BY_RUN}) ({series(semconv.METRIC_RUN_ACTIVE, *OF_FLEET)})"
_ONCE_ACTIVE: Final = f"max by ({BY_RUN}) ({last(series(semconv.METRIC_RUN_ACTIVE, *OF_FLEET))})"
_AGE: Final = f"time() - max by ({BY_RUN}) ({series(semconv.METRIC_LAST_BATCH, *OF_FLEET)})"
_STALLED: Final = f"({_AGE} > {at.TRAINING_RUN_STALLED}) and ({_ACTIVE} == 1)"
_SILENT: Final = f"({_ONCE_ACTIVE} == 1) unless {_ACTIVE}"
_ENDED_BADLY: Final = f"max by ({BY_RUN}) ({last(series(semconv.METRIC_RUNS, *OF_FLEET, _LOST))}) > 0"
_FAILED: Final = f"({_ENDED_BADLY}) unless ({_ACTIVE} == 1)"
_STATE: Final = f"({_FAILED}) * 0 + 4 or ({_SILENT}) * 0 + 3 or ({_STALLED}) * 0 + 2 or {_ONCE_ACTIVE}"
_OF_ACTIVE: Final = f"and on ({BY_RUN}) ({_ACTIVE} == 1)"

_DATA_STEPS: Final = (
    (at.VERDICT_SHARES[Bottleneck.DATA], colors.ATTENTION),
    (at.TRAINING_DATA_STARVATION, colors.BAD),
)
_GPU_STEPS: Final = ((at.TRAINING_GPU_IDLE, colors.ATTENTION), (0.6, colors.GOOD))


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "Trainings: fleet",
        links.FLEET,
        "All runs now: which are active, which stand still or failed, how fast they are, and what they wait for.",
        [variables.service(several=True), variables.host_of_fleet()],
        [("Now", [*_now(), _runs()]), ("Over time", _over_time())],
        alerts=f'ALERTS{{alertstate="firing", {OF_FLEET[0]}}}',
        of_one_run=False,
    )


def _now() -> list[Builder[Panel]]:
    bad = ((1, colors.BAD),)
    return [
        number(
            Face(
                "Running",
                "Runs whose last export says that they go on. Fewer than you started? Look at silent and failed.",
                units.Short,
                width=4,
                height=4,
            ),
            Query(or_zero(f"count({_ACTIVE} == 1)")),
        ),
        number(
            Face(
                "Stalled",
                "Runs that still export and have finished no batch for five minutes: a hung collective, dataloader or "
                "file system, or a very long validation or checkpoint. Open the run from the table and look at its "
                "last batch trace.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=bad,
            ),
            Query(or_zero(f"count({_STALLED})")),
        ),
        number(
            Face(
                "Silent",
                "Runs that did not say that they ended and export no more, in the time shown: killed (out of memory, "
                "scheduler), or cut off from the Collector. Look at the host's memory, and at Telemetry health.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=bad,
            ),
            Query(or_zero(f"count({_SILENT})")),
        ),
        number(
            Face(
                "Failed",
                "Runs that ended with an exception or were killed, in the time shown. The exception is on the run's "
                "root span in Jaeger: open the run from the table.",
                units.Short,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=bad,
            ),
            Query(or_zero(f"count({_FAILED})")),
        ),
        number(
            Face(
                "GPUs at work",
                "Share of time in which a kernel ran, mean over all GPUs that a training reads. Low while trainings "
                "wait for data: feed them. It says that a GPU was busy, not that it was busy well.",
                units.PercentUnit,
                width=4,
                height=4,
                base=colors.BAD,
                steps=_GPU_STEPS,
                empty="no GPU",
            ),
            Query(f"avg({series(semconv.GPU_UTILIZATION, *OF_FLEET, _COMPUTES)})"),
        ),
        number(
            Face(
                "Waiting for data",
                "Share of the last half minute that training loops waited for their dataloaders, mean over active "
                "runs. From 20 % on it is a verdict, at 30 % an alert: see which run, then its workers.",
                units.PercentUnit,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=_DATA_STEPS,
            ),
            Query(f"avg({series(semconv.METRIC_DATA_WAIT, *OF_FLEET, TRAIN)} {_OF_ACTIVE})"),
        ),
    ]


def _runs() -> Builder[Panel]:
    by_run = f"by ({BY_RUN})"
    ranks = f"count by ({BY_RUN}, {promql.RANK}) ({last(series(semconv.METRIC_RUN_ACTIVE, *OF_FLEET))})"
    last_batch = last(series(semconv.METRIC_LAST_BATCH, *OF_FLEET))
    queries = {
        "State": _STATE,
        "Last batch": f"time() - max {by_run} ({last_batch})",
        "Ranks": f"count {by_run} ({ranks})",
        "Epoch": f"max {by_run} ({last(series(semconv.METRIC_EPOCH, *OF_FLEET))})",
        "Samples/s": f"sum {by_run} ({last(series(semconv.METRIC_THROUGHPUT_SAMPLES, *OF_FLEET, TRAIN))})",
        "Waits for data": f"avg {by_run} ({last(series(semconv.METRIC_DATA_WAIT, *OF_FLEET, TRAIN))})",
        "GPU": f"avg {by_run} ({last(series(semconv.GPU_UTILIZATION, *OF_FLEET, _COMPUTES))})",
    }
    open_run = {"title": "Open the run", "url": links.run_of_row("Service")}
    return rows(
        Face(
            "Runs",
            "Every run in the time shown, with its last values; those that need you are at the top. Click a run's "
            "name to open it. Silent: it did not say that it ended and exports no more.",
            units.Short,
            width=24,
            height=10,
        ),
        {column: Query(expression, now=True) for column, expression in queries.items()},
        {promql.RUN: "Run", promql.SERVICE: "Service"},
        sort_by="State",
        overrides={
            "Run": [DynamicConfigValue("links", [open_run])],
            "State": [
                DynamicConfigValue("mappings", [value_map(_STATES)]),
                DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
            ],
            "Last batch": [DynamicConfigValue("unit", units.DurationSeconds)],
            "Samples/s": [DynamicConfigValue("unit", units.Short), DynamicConfigValue("decimals", 1)],
            "Waits for data": [DynamicConfigValue("unit", units.PercentUnit), *_column(colors.GOOD, _DATA_STEPS)],
            "GPU": [DynamicConfigValue("unit", units.PercentUnit), *_column(colors.BAD, _GPU_STEPS)],
        },
    )


def _over_time() -> list[Builder[Panel]]:
    by_run = f"by ({BY_RUN})"
    open_run = links.run_of_series(promql.SERVICE, promql.RUN)
    p95 = promql.quantile(0.95, semconv.METRIC_BATCH_DURATION, *OF_FLEET, TRAIN, by=BY_RUN)
    outcomes = f"max by ({BY_RUN}, {semconv.OUTCOME_LABEL}) ({last(series(semconv.METRIC_RUNS, *OF_FLEET))})"
    return [
        lines(
            Face(
                "Throughput by run",
                "Samples a second over all ranks of a run. A run that falls against its own past has changed: open it "
                "and compare its phases before and after.",
                "suffix:samples/s",
            ),
            Query(f"sum {by_run} ({series(semconv.METRIC_THROUGHPUT_SAMPLES, *OF_FLEET, TRAIN)})", _RUN_LEGEND),
            link=open_run,
        ),
        lines(
            Face(
                "Waiting for data by run",
                "Share of time in which the training loop waited for its dataloader, mean over ranks. Above the lower "
                "line the verdict is `data`, above the upper one an alert comes: more workers, cheaper decoding, "
                "cache.",
                units.PercentUnit,
                steps=_DATA_STEPS,
            ),
            Query(f"avg {by_run} ({series(semconv.METRIC_DATA_WAIT, *OF_FLEET, TRAIN)})", _RUN_LEGEND),
            limits=(0, 1),
            link=open_run,
        ),
        lines(
            Face(
                "GPUs at work by run",
                "Share of time in which a kernel ran, mean over a run's GPUs. Below the line an alert comes after 25 "
                "minutes: the run holds GPUs that it does not use.",
                units.PercentUnit,
                steps=((at.TRAINING_GPU_IDLE, colors.ATTENTION),),
                empty="no GPU",
            ),
            Query(f"avg {by_run} ({series(semconv.GPU_UTILIZATION, *OF_FLEET, _COMPUTES)})", _RUN_LEGEND),
            limits=(0, 1),
            link=open_run,
        ),
        lines(
            Face(
                "Slow batches by run",
                "95th percentile of the batch time: one batch in twenty takes longer. When it leaves the others, open "
                "the run and click an exemplar of its heat map.",
                units.Seconds,
            ),
            Query(p95, _RUN_LEGEND),
            link=open_run,
        ),
        bars(
            Face(
                "How runs ended",
                "Trainer entries (fit, validate, test, predict) by outcome, of the runs in the time shown. Failed and "
                "killed ones are in the table above.",
                units.Short,
                width=24,
                height=5,
            ),
            Query(f"sum by ({semconv.OUTCOME_LABEL}) ({outcomes})", f"{{{{{semconv.OUTCOME_LABEL}}}}}", now=True),
            colors={
                Outcome.COMPLETED: colors.GOOD,
                Outcome.INTERRUPTED: colors.ATTENTION,
                Outcome.FAILED: colors.BAD,
                Outcome.KILLED: colors.BAD,
            },
        ),
    ]


def _column(base: str, steps: tuple[tuple[float, str], ...]) -> list[DynamicConfigValue]:
    levels = [{"value": None, "color": base}, *({"value": value, "color": color} for value, color in steps)]
    return [
        DynamicConfigValue("thresholds", {"mode": "absolute", "steps": levels}),
        DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]
