"""The panels about how far a run is and what it learns: epochs, validation, checkpoints, logged values."""

from __future__ import annotations

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import promql
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import OF_RUN, STAGE, TRAIN, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.semconv import Stage


def epochs() -> list[Builder[Panel]]:
    """Return progress, epochs, validations and checkpoints."""
    validates = f'{STAGE}="{Stage.VALIDATE}"'
    epoch = f"max({series(semconv.METRIC_EPOCH, *OF_RUN)})"
    step = f"max({series(semconv.METRIC_GLOBAL_STEP, *OF_RUN)})"
    size = promql.mean_so_far(semconv.METRIC_CHECKPOINT_SIZE, *OF_RUN, by=promql.RUN)
    return [
        lines(
            Face(
                "Progress",
                "Epoch (left) and optimiser steps (right). A flat line while the run goes on is a long validation, a "
                "checkpoint, or a stall.",
                units.Short,
                width=8,
            ),
            Query(epoch, "epoch"),
            Query(step, "optimiser steps"),
            right="optimiser steps",
        ),
        _durations("Epochs", semconv.METRIC_EPOCH_DURATION, TRAIN, "an epoch, validation and checkpoints included"),
        _durations("Validations", semconv.METRIC_EPOCH_DURATION, validates, "a validation"),
        _durations("Checkpoints", semconv.METRIC_CHECKPOINT_DURATION, "", "writing a checkpoint"),
        lines(
            Face(
                "Checkpoint size",
                "Mean size of a checkpoint on a local disk so far. It jumps when optimiser states or other weights are "
                "saved too; compare it with the space left, in Resources.",
                units.BytesIEC,
                width=8,
            ),
            Query(size, "mean"),
        ),
        lines(
            Face(
                "Skipped optimiser steps",
                "Steps that the gradient scaler of mixed precision skipped, because gradients overflowed. A few at the "
                "start are usual; if they go on, lower the learning rate or use bfloat16.",
                units.CountsPerSecond,
                width=8,
                empty="no gradient scaler",
            ),
            Query(f"sum({rate(series(semconv.METRIC_AMP_SKIPPED, *OF_RUN))})", "skipped"),
        ),
    ]


def _durations(title: str, metric: str, matcher: str, what: str) -> Builder[Panel]:
    matchers = (*OF_RUN, matcher) if matcher else OF_RUN
    return lines(
        Face(
            title,
            f"Time of {what}: of those that ended in the last minutes, and the mean so far. A point above the mean is "
            "slower than usual; that it climbs from one to the next is worth a look at the trace.",
            units.Seconds,
            width=8,
        ),
        Query(promql.mean(metric, *matchers, by=promql.RUN), "last"),
        Query(promql.mean_so_far(metric, *matchers, by=promql.RUN), "mean so far"),
        points=True,
    )


def logged() -> list[Builder[Panel]]:
    """Return losses, metrics and learning rates."""
    rate_name = "(?i).*(^|[-_/])lr([-_/]|$).*"
    return [
        _values(
            "Losses",
            "(?i).*loss.*",
            "",
            "What is logged under a name with `loss`, mean over ranks. A line that ends while the run goes on is not a "
            "number any more (an alert tells). Training falls and validation climbs: the model learns by heart.",
        ),
        _values(
            "Metrics",
            "",
            f"(?i).*loss.*|{rate_name}",
            "Everything else that the module logs: error rates, accuracies, norms; mean over ranks. Ranks that differ "
            "are seen in Jaeger, on the spans of epochs.",
        ),
        _values(
            "Learning rates",
            rate_name,
            "",
            "Learning rates that `LearningRateMonitor` logs. A loss that jumps where this jumps has its cause here.",
        ),
    ]


def _values(title: str, wanted: str, unwanted: str, description: str) -> Builder[Panel]:
    matcher = f'{promql.LOGGED}=~"{wanted}"' if wanted else f'{promql.LOGGED}!~"{unwanted}"'
    return lines(
        Face(title, description, units.Short, width=8, empty="not logged"),
        Query(
            f"avg by ({promql.LOGGED}) ({series(semconv.METRIC_LOGGED, *OF_RUN, matcher)})", f"{{{{{promql.LOGGED}}}}}"
        ),
        limits=(None, None),
    )
