"""The panels about where a run's time goes: the numbers that its verdict is made of."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.panels import bars, lines, number
from dashboards.build.promql import OF_RUN, PHASE, RANK, STAGE, TRAIN, last, or_zero, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.diagnosis.thresholds import (
    CALLBACKS_SECONDS_PER_BATCH,
    LOOP_SECONDS_PER_BATCH,
    TRANSFER_SECONDS_PER_BATCH,
)
from ocr_otel.semconv import Bottleneck, Phase, Stage

_VALIDATES: Final = f'{STAGE}="{Stage.VALIDATE}"'
_PHASES: Final = series(semconv.METRIC_PHASE_DURATION, *OF_RUN, TRAIN, part="_sum")
_CHECKPOINTS: Final = series(semconv.METRIC_CHECKPOINT_DURATION, *OF_RUN, part="_sum")
_VALIDATIONS: Final = series(semconv.METRIC_EPOCH_DURATION, *OF_RUN, _VALIDATES, part="_sum")

# Counted since the run began, all ranks together.
_VALIDATION: Final = f"({or_zero(f'sum({last(_VALIDATIONS)})')})"
_CHECKPOINT: Final = f"({or_zero(f'sum({last(_CHECKPOINTS)})')})"
_ALL: Final = f"(sum({last(_PHASES)}) + {_VALIDATION} + {_CHECKPOINT})"


def _in(*phases: Phase) -> str:
    chosen = series(semconv.METRIC_PHASE_DURATION, *OF_RUN, TRAIN, f'{PHASE}=~"{"|".join(phases)}"', part="_sum")
    return f"({or_zero(f'sum({last(chosen)})')})"


def verdict() -> Builder[Panel]:
    """Return how far each part exceeds the threshold of its verdict."""
    batches = f"sum({last(series(semconv.METRIC_BATCHES, *OF_RUN, TRAIN))})"
    callbacks, transfer = _in(Phase.CALLBACKS), _in(Phase.TRANSFER)
    # What every batch takes, however little is wrong, is no verdict.
    loop = f"clamp_min({_in(Phase.LOOP)} - {LOOP_SECONDS_PER_BATCH} * {batches}, 0)"
    spent = {
        Bottleneck.DATA: _in(Phase.FETCH),
        Bottleneck.TRANSFER: f"{transfer} * ({transfer} / {batches} >= bool {TRANSFER_SECONDS_PER_BATCH})",
        Bottleneck.COMMUNICATION: _in(Phase.COMMUNICATION),
        Bottleneck.OPTIMIZER: _in(Phase.OPTIMIZER),
        Bottleneck.LOGGING: f"({callbacks} * ({callbacks} / {batches} >= bool {CALLBACKS_SECONDS_PER_BATCH}) + {loop})",
        Bottleneck.CHECKPOINT: _CHECKPOINT,
        Bottleneck.VALIDATION: _VALIDATION,
        Bottleneck.COMPUTE: _in(Phase.FORWARD, Phase.BACKWARD),
    }
    return bars(
        Face(
            "Verdict: time over its threshold",
            "Each part's share of the run's time, divided by the share from which it is a verdict. A bar above 100 % "
            "holds the run up; of several, the one with most time beside is the verdict. `compute` is it only where no "
            "other bar is above 100 %: then the model itself is the work. The `fit`, `train_epoch` and `profile` spans "
            "know more (windows of the profiler, the machine, the configuration) and say it in words: evidence, "
            "confidence, what to try, and how much faster the run could be at most. See Traces of the run.",
            units.PercentUnit,
            height=9,
            base=colors.GOOD,
            steps=((1, colors.ATTENTION), (2, colors.BAD)),
        ),
        *(
            Query(f"{seconds} / {_ALL} / {at.VERDICT_SHARES[kind]}", str(kind), now=True)
            for kind, seconds in spent.items()
        ),
        colors={Bottleneck.COMPUTE: colors.CALM},
        top=2,
    )


def parts() -> Builder[Panel]:
    """Return the share of each part in the time of the whole run."""
    each = {phase: _in(phase) for phase in Phase} | {colors.VALIDATION: _VALIDATION, colors.CHECKPOINT: _CHECKPOINT}
    return bars(
        Face(
            "Where the time went",
            "Share of each phase of the training batches, of validation and of checkpoints in the run's time so far, "
            "over all ranks. Blue and violet are the model's work; everything else is what it costs to feed and keep "
            "it.",
            units.PercentUnit,
            height=9,
        ),
        *(Query(f"{seconds} / {_ALL}", str(part), now=True) for part, seconds in each.items()),
        colors=colors.PARTS,
        top=1,
    )


def useful() -> Builder[Panel]:
    """Return the share of time in which the model worked."""
    work = _in(Phase.TRANSFER, Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER)
    return number(
        Face(
            "Useful time",
            "Share of the run's time so far in transfer, forward, backward and optimiser. What is missing to 100 % is "
            "named by the two panels above.",
            units.PercentUnit,
            width=4,
            height=4,
            base=colors.BAD,
            steps=((0.5, colors.ATTENTION), (0.75, colors.GOOD)),
        ),
        Query(f"{work} / {_ALL}", now=True),
    )


def over_time() -> Builder[Panel]:
    """Return what each second of the run was spent on."""
    validating = rate(series(semconv.METRIC_PHASE_DURATION, *OF_RUN, _VALIDATES, part="_sum"))
    return lines(
        Face(
            "Time budget",
            "What a second of a rank is spent on, mean over ranks. The height of a colour is its share; the gap to "
            "100 % is start-up, or standing still. Where one colour grows is where the training changed.",
            units.PercentUnit,
            height=9,
        ),
        Query(f"avg by ({PHASE}) ({rate(_PHASES)})", f"{{{{{PHASE}}}}}"),
        Query(f"avg(sum by ({RANK}) ({validating}))", colors.VALIDATION),
        Query(f"avg({rate(_CHECKPOINTS)})", colors.CHECKPOINT),
        colors=colors.PARTS,
        stacked=True,
        limits=(0, 1),
    )
