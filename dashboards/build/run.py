"""The dashboard Run: one run, from its verdict to the trace of a slow batch."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

from dashboards.build import budget, colors, links, progress, promql, ranks, variables
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.layout import dashboard
from dashboards.build.panels import heat, lines, number, traces
from dashboards.build.promql import MODE, OF_RUN, PHASE, STAGE, TRAIN, last, series
from dashboards.build.queries import JaegerSearch, Query
from ocr_otel import semconv
from ocr_otel.semconv import Bottleneck, Kept

_SLOW: Final = {semconv.RUN_ID: "${run}", semconv.KEPT: str(Kept.SLOW)}
_THE_RUN: Final = {semconv.RUN_ID: "${run}"}
_MOST_TRACES: Final = 30


def build() -> Dashboard:
    """Return the dashboard."""
    return dashboard(
        "Trainings: run",
        links.RUN,
        "One run: what holds it up, where its time goes, how fast it is, what it learns, and its slow batches.",
        [
            variables.service(several=False),
            variables.run(),
            variables.host_of_run(),
            variables.rank(),
            variables.jaeger_page(),
        ],
        [
            ("Verdict", [budget.verdict(), budget.parts(), *_state()]),
            ("Time", _time()),
            ("Ranks", ranks.ranks(width=8)),
            ("Epochs, validation, checkpoints", progress.epochs()),
            ("What the module logs", progress.logged()),
            ("Traces", _traces()),
        ],
        alerts=f'ALERTS{{alertstate="firing", {OF_RUN[0]}, {OF_RUN[1]}}}',
        of_one_run=True,
    )


def _state() -> list[Builder[Panel]]:
    active = last(series(semconv.METRIC_RUN_ACTIVE, *OF_RUN))
    age = f"time() - max({last(series(semconv.METRIC_LAST_BATCH, *OF_RUN))})"
    return [
        number(
            Face(
                "State",
                "What the run said last. It goes on and its last batch is old: it stalls, or was killed (then the "
                "panels below end early).",
                units.Short,
                width=4,
                height=4,
            ),
            Query(f"max({active})", now=True),
            mappings={"0": ("ended", colors.CALM), "1": ("goes on", colors.GOOD)},
        ),
        number(
            Face(
                "Last batch",
                "Time since the last batch of any rank ended. While the run goes on it should be near the export "
                "interval; from five minutes on the run stalls.",
                units.DurationSeconds,
                width=4,
                height=4,
                steps=((at.TRAINING_RUN_STALLED, colors.ATTENTION),),
            ),
            Query(age, now=True),
        ),
        number(
            Face(
                "Epoch",
                "Current epoch, from 0, of the furthest rank. Its pace is below, under Progress.",
                units.Short,
                width=4,
                height=4,
            ),
            Query(f"max({last(series(semconv.METRIC_EPOCH, *OF_RUN))})", now=True),
        ),
        number(
            Face(
                "Throughput",
                "Samples a second over all ranks, over half a minute. Compare it with your other runs in Fleet.",
                "suffix:samples/s",
                width=4,
                height=4,
            ),
            Query(f"sum({series(semconv.METRIC_THROUGHPUT_SAMPLES, *OF_RUN, TRAIN)})"),
        ),
        budget.useful(),
        number(
            Face(
                "Waiting for data",
                "Share of the last half minute that the loop waited for the dataloader, mean over ranks. From 20 % on "
                "it is a verdict: see whether the workers' dataset or collate part is slow, in Dataloader workers.",
                units.PercentUnit,
                width=4,
                height=4,
                base=colors.GOOD,
                steps=(
                    (at.VERDICT_SHARES[Bottleneck.DATA], colors.ATTENTION),
                    (at.TRAINING_DATA_STARVATION, colors.BAD),
                ),
            ),
            Query(f"avg({series(semconv.METRIC_DATA_WAIT, *OF_RUN, TRAIN)})"),
        ),
    ]


def _time() -> list[Builder[Panel]]:
    buckets = series(semconv.METRIC_BATCH_DURATION, *OF_RUN, TRAIN, part="_bucket")
    phases = promql.mean(semconv.METRIC_PHASE_DURATION, *OF_RUN, TRAIN, by=PHASE)
    workers = promql.quantile(0.95, semconv.METRIC_WORKER_DURATION, *OF_RUN, TRAIN, by=semconv.PART)
    return [
        heat(
            Face(
                "Batch time",
                "How many training batches took how long. One band is healthy; a second band above it, or one that "
                "climbs, is not. Each marker is a batch that was kept as a trace: click it to open the trace in "
                "Jaeger.",
                units.Seconds,
                height=9,
            ),
            Query(f"sum by (le) (increase({buckets}[{promql.RATE}]))", "{{le}}", exemplars=True),
        ),
        budget.over_time(),
        lines(
            Face(
                "Batch time, percentiles",
                "Median, 95th and 99th percentile of training batches, over all ranks. p99 far above p50: single slow "
                "batches; click a marker, or see Slow batches below. All three climb: the whole training slows down.",
                units.Seconds,
            ),
            *(
                Query(
                    promql.quantile(share, semconv.METRIC_BATCH_DURATION, *OF_RUN, TRAIN), name, exemplars=share == 0.99
                )
                for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
            ),
        ),
        lines(
            Face(
                "Throughput by stage",
                "Samples a second over all ranks, training and validation apart. Gaps in training are validation, "
                "checkpoints or a stall.",
                "suffix:samples/s",
            ),
            Query(f"sum by ({STAGE}) ({series(semconv.METRIC_THROUGHPUT_SAMPLES, *OF_RUN)})", f"{{{{{STAGE}}}}}"),
        ),
        lines(
            Face(
                "Phases of a batch",
                "Mean time of each phase of a training batch, on the host. The phase that grows is the one to look at. "
                "On a GPU `forward` is launch time, and the wait shows where the code synchronises.",
                units.Seconds,
            ),
            Query(phases, f"{{{{{PHASE}}}}}"),
            colors=colors.PARTS,
        ),
        lines(
            Face(
                "Dataloader workers",
                "95th percentile of the time to make one batch, inside a worker. Divided by the number of workers it "
                "must stay below the time of a batch, or the loop waits. `dataset`: reading, decoding, augmenting; "
                "`collate`: putting samples together.",
                units.Seconds,
            ),
            Query(workers, f"{{{{{semconv.PART}}}}}"),
        ),
    ]


def _traces() -> list[Builder[Panel]]:
    return [
        traces(
            Face(
                "Slow batches",
                "Batches that took far longer than the running median, the newest first. Click one: its waterfall "
                "shows which phase, and on several ranks whom the others waited for. The link above opens the same "
                "search in Jaeger's own page, which sorts by duration and compares two traces.",
                units.Microseconds,
                height=10,
                empty="no slow batch",
            ),
            JaegerSearch("${service}", semconv.TRAIN_BATCH, _SLOW, _MOST_TRACES),
            links.jaeger_search(semconv.TRAIN_BATCH, _SLOW),
            # Grafana takes both from the earliest span: that of the dataloader worker, which began before the batch.
            hidden=("Trace name", "Duration"),
        ),
        traces(
            Face(
                "Traces of the run",
                "The light trace of each Trainer entry: configuration, epochs with verdicts, windows of the profiler, "
                "validations, checkpoints, and the exception of a run that failed. The first thing to open in a run "
                "that you do not know: events named `bottleneck`, on `fit`, `train_epoch` and `profile`, are the "
                "ranked causes with their evidence and the most that could be won.",
                units.Microseconds,
                height=10,
                empty="no trace in Jaeger",
            ),
            JaegerSearch("${service}", semconv.FIT_START, _THE_RUN, _MOST_TRACES),
            links.jaeger_search(semconv.FIT_START, _THE_RUN),
        ),
        lines(
            Face(
                "Profiler windows",
                "Windows of `torch.profiler` so far, by why they opened, over all ranks. Each is a `profile` span in "
                "the trace of its run, with its verdict and the costliest operators as events; its trace file lies in "
                "`profiles/` of the run directory. Steps of `anomaly` are where batches took far longer than before.",
                units.Short,
                empty="no window was opened",
            ),
            Query(f"sum by ({MODE}) ({series(semconv.PROFILES, *OF_RUN)})", f"{{{{{MODE}}}}}"),
        ),
    ]
