"""Binds the recording to diagnosis and to the card in the terminal, which do not know of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ocr_otel import semconv
from ocr_otel.diagnosis import TimeBudget, diagnose
from ocr_otel.diagnosis.budget import total, with_callbacks
from ocr_otel.recording import EntrySummary, LoopSummary


def budget_of(summary: LoopSummary) -> TimeBudget:
    """Return the time budget of an epoch."""
    return TimeBudget(
        wall=summary.wall,
        phases=with_callbacks(summary.phases, summary.callbacks_between),
        validation=summary.validation,
        checkpoint=summary.checkpoint,
        batches=summary.batches,
        slowest_callback=summary.slowest_callback,
        slowest_callback_seconds=summary.slowest_callback_seconds,
    )


def judge(epochs: tuple[LoopSummary, ...], wall: float) -> Mapping[str, Any]:
    """Return the attributes of the verdict on epochs that took `wall` seconds; none where it is too early for one."""
    verdict = diagnose(total([budget_of(epoch) for epoch in epochs], wall))
    if verdict is None:
        return {}
    attributes = {
        semconv.BOTTLENECK_KIND: str(verdict.kind),
        semconv.BOTTLENECK_SHARE: round(verdict.share, 4),
        semconv.BOTTLENECK_SUMMARY: verdict.summary,
    }
    if verdict.advice:
        attributes[semconv.BOTTLENECK_ADVICE] = verdict.advice
    return attributes


def present(summary: EntrySummary) -> None:
    """Print the card of a finished entry."""
    from ocr_otel.report.card import CardFacts, render_card

    budget = total([budget_of(epoch) for epoch in summary.epochs], summary.wall)
    budget = replace(budget, checkpoint=budget.checkpoint + summary.checkpoint_outside)
    batches = sum(epoch.batches for epoch in summary.epochs)
    longest = max(summary.epochs, key=lambda epoch: epoch.batches, default=None)
    render_card(
        budget,
        diagnose(budget) if summary.entry == semconv.FIT else None,
        CardFacts(
            entry=summary.entry,
            outcome=summary.outcome,
            seconds=summary.wall,
            batches=batches,
            samples=sum(epoch.samples for epoch in summary.epochs),
            slow_batches=sum(epoch.slow_batches for epoch in summary.epochs),
            batch_p50=longest.p50 if longest else 0.0,
            batch_p95=longest.p95 if longest else 0.0,
            goodput=summary.goodput,
            time_to_first_batch=summary.time_to_first_batch,
            mfu=summary.mfu,
            amp_skipped_steps=sum(epoch.skipped_steps for epoch in summary.epochs),
            spans_lost=summary.spans_lost,
            destination=summary.destination,
            report_command=f"ocr-otel report {summary.directory}" if summary.directory else "",
        ),
    )
