"""The panels about the ranks of a run: which one the others wait for, how often, and how long."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build import colors
from dashboards.build import thresholds as at
from dashboards.build.face import Face
from dashboards.build.panels import lines
from dashboards.build.promql import OF_RUN, PHASE, RANK, TRAIN, rate, series
from dashboards.build.queries import Query
from ocr_otel import semconv
from ocr_otel.semconv import Bottleneck, Phase

NAMED: Final = f"rank {{{{{RANK}}}}}"
_ALL_RANKS: Final = OF_RUN[:2]
"""Whichever ranks the reader has chosen: a share is one of all."""
_ALONE: Final = "one rank, or not compared"


def ranks(width: int) -> list[Builder[Panel]]:
    """Return the panels, each so many columns wide."""
    return [delay(width), _last(width), _communication(width)]


def delay(width: int) -> Builder[Panel]:
    """Return how late each rank is."""
    return lines(
        Face(
            "Delay by rank",
            "How much later than the median of the others a rank arrives where gradients are exchanged, in three of "
            "four steps at least. A rank that stays above the line holds up all others: compare its phases, data wait, "
            "GPU clock and host with theirs. Ranks that are late in turn are at 0: see Arrives last.",
            units.Seconds,
            width=width,
            steps=((at.TRAINING_STRAGGLER, colors.ATTENTION),),
            empty=_ALONE,
        ),
        Query(f"max by ({RANK}) ({series(semconv.METRIC_STRAGGLER_DELAY, *OF_RUN)})", NAMED),
        limits=(None, None),
    )


def _last(width: int) -> Builder[Panel]:
    steps, all_steps = (rate(series(semconv.METRIC_STRAGGLER_STEPS, *matchers)) for matchers in (OF_RUN, _ALL_RANKS))
    return lines(
        Face(
            "Arrives last",
            "Share of the steps at which each rank arrived last. One line near 100 %: that rank is slow, always. Lines "
            "that lie together: each is late in turn, for batches are uneven. Steps at which a rank is last are in the "
            "heat map of `ocr-otel report`.",
            units.PercentUnit,
            width=width,
            empty=_ALONE,
        ),
        Query(f"sum by ({RANK}) ({steps}) / scalar(sum({all_steps}))", NAMED),
        limits=(0, 1),
    )


def _communication(width: int) -> Builder[Panel]:
    waits, everything = (
        f"sum by ({RANK}) ({rate(series(semconv.METRIC_PHASE_DURATION, *OF_RUN, TRAIN, *phase, part='_sum'))})"
        for phase in ((f'{PHASE}="{Phase.COMMUNICATION}"',), ())
    )
    return lines(
        Face(
            "Communication by rank",
            "Share of its batches in which a rank waits for the others and their gradients. The rank that waits least "
            "is the one that the others wait for. All wait alike and long: it is the exchange itself. With a GPU the "
            "device waits and not its host: open a window of the profiler.",
            units.PercentUnit,
            width=width,
            steps=((at.VERDICT_SHARES[Bottleneck.COMMUNICATION], colors.ATTENTION),),
            empty=_ALONE,
        ),
        Query(f"{waits} / ({everything} > 0)", NAMED),
        limits=(0, None),
    )
