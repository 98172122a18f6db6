"""Binds the recording to diagnosis and to the card in the terminal, which do not know of each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ocr_otel import semconv
from ocr_otel.diagnosis import Diagnosis, Observation, TimeBudget, Verdict, diagnose
from ocr_otel.diagnosis.budget import total, with_callbacks
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.recording import EntrySummary, Judgement, LoopSummary
from ocr_otel.semconv import Bottleneck
from ocr_otel.training.verdicts import Verdicts


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
        made=summary.making.batches,
        dataset=summary.making.dataset,
        dataset_cpu=summary.making.dataset_cpu,
        collate=summary.making.collate,
        starting=summary.interruptions.starting,
        starts=summary.interruptions.starts,
        first_wait=summary.first_wait,
        collecting=summary.interruptions.collecting,
        collections=summary.interruptions.collections,
        compiling=summary.interruptions.compiling,
        recompiling=summary.interruptions.recompiling,
        recompilations=summary.interruptions.recompilations,
        profiling=summary.interruptions.profiling,
        cpu_delay=summary.interruptions.cpu_delay,
        main_cpu=summary.interruptions.main_cpu,
        validations=summary.validations,
        checkpoints=summary.checkpoints,
        epochs=summary.loops,
    )


def judge(
    epochs: tuple[LoopSummary, ...], wall: float, known: Mapping[str, Any], profile: WindowProfile | None = None
) -> Judgement:
    """Judge epochs that took `wall` seconds; without a verdict where it is too early for one.

    Args:
        epochs: The epochs.
        wall: How long they took, and what is between and around them.
        known: Attributes of configuration and resources.
        profile: What the last window of the profiler showed; None without one.
    """
    budget = total([budget_of(epoch) for epoch in epochs], wall)
    return _judgement(diagnose(Observation.of(budget, known, profile)))


def judge_window(profile: WindowProfile, known: Mapping[str, Any]) -> Judgement:
    """Judge what a window of the profiler shows, by itself."""
    return _judgement(diagnose(Observation.of_window(profile, known)))


def _judgement(diagnosis: Diagnosis | None) -> Judgement:
    if diagnosis is None:
        return Judgement()
    causes = tuple(
        {**_attributes(verdict, diagnosis.basis), semconv.BOTTLENECK_RANK: rank}
        for rank, verdict in enumerate(diagnosis.causes, 1)
    )
    return Judgement(_attributes(diagnosis.verdict, diagnosis.basis), causes)


def _attributes(verdict: Verdict, basis: str) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        semconv.BOTTLENECK_KIND: str(verdict.kind),
        semconv.BOTTLENECK_SHARE: round(verdict.share, 4),
        semconv.BOTTLENECK_SUMMARY: verdict.summary,
        semconv.BOTTLENECK_CONFIDENCE: str(verdict.confidence),
        semconv.BOTTLENECK_EVIDENCE: tuple(str(each) for each in verdict.evidence),
        semconv.BOTTLENECK_BASIS: basis,
    }
    if verdict.kind not in (Bottleneck.NONE, Bottleneck.COMPUTE):
        attributes[semconv.BOTTLENECK_SPEEDUP] = round(verdict.speedup, 3)
    if verdict.advice:
        attributes[semconv.BOTTLENECK_ADVICE] = verdict.advice
    return attributes


VERDICTS = Verdicts(judge, judge_window)


def present(summary: EntrySummary) -> None:
    """Print the card of a finished entry."""
    from ocr_otel.report.card import CardFacts, render_card
    from ocr_otel.report.causes import of_events

    budget = total([budget_of(epoch) for epoch in summary.epochs], summary.wall)
    budget = replace(budget, checkpoint=budget.checkpoint + summary.checkpoint_outside)
    batches = sum(epoch.batches for epoch in summary.epochs)
    longest = max(summary.epochs, key=lambda epoch: epoch.batches, default=None)
    render_card(
        budget,
        next(iter(of_events(summary.causes)), None),
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
            straggler=summary.straggler,
            report_command=f"ocr-otel report {summary.directory}" if summary.directory else "",
        ),
    )
