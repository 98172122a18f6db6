"""Where the wall time went: of an epoch, of an entry, and of an entry whose root is missing; always adds up."""

from __future__ import annotations

import math
from dataclasses import replace

from ocr_otel import semconv
from ocr_otel.diagnosis import TimeBudget
from ocr_otel.diagnosis.budget import total, with_callbacks
from ocr_otel.runs import Entry, Epoch, Run, SpanRecord
from ocr_otel.semconv import Phase, Stage


def of_epoch(epoch: Epoch) -> TimeBudget:
    """Return the budget of an epoch."""
    span = epoch.span
    phases = with_callbacks(span.phases(), span.number(semconv.CALLBACKS_BETWEEN))
    # A checkpoint that is written inside a validation is a checkpoint, and is not counted twice.
    in_validation = sum(saved.seconds for each in epoch.validations for saved in _checkpoints(each.children))
    return _fitted(
        TimeBudget(
            wall=span.seconds,
            phases={phase: min(max(0.0, seconds), span.seconds) for phase, seconds in phases.items()},
            validation=max(0.0, sum(each.seconds for each in epoch.validations) - in_validation),
            checkpoint=sum(each.seconds for each in epoch.checkpoints),
            batches=int(span.number(semconv.BATCHES)),
            slowest_callback=span.text(semconv.SLOWEST_CALLBACK),
            slowest_callback_seconds=span.number(semconv.SLOWEST_CALLBACK_SECONDS),
            made=int(span.number(semconv.MADE_BATCHES)),
            dataset=span.number(semconv.DATASET_SECONDS),
            dataset_cpu=span.number(semconv.DATASET_CPU_SECONDS),
            collate=span.number(semconv.COLLATE_SECONDS),
            starting=span.number(semconv.LOADER_START_SECONDS),
            starts=int(semconv.LOADER_START_SECONDS in span.attributes),
            first_wait=span.number(semconv.FIRST_WAIT_SECONDS),
            collecting=span.number(semconv.COLLECTING_SECONDS),
            collections=int(span.number(semconv.FULL_COLLECTIONS)),
            compiling=span.number(semconv.COMPILING_SECONDS),
            recompiling=span.number(semconv.RECOMPILING_SECONDS),
            recompilations=int(span.number(semconv.RECOMPILATIONS)),
            profiling=span.number(semconv.PROFILING_SECONDS),
            cpu_delay=span.number(semconv.CPU_DELAY_SECONDS),
            main_cpu=span.number(semconv.MAIN_THREAD_CPU_SECONDS),
            validations=len(epoch.validations),
            checkpoints=len(epoch.checkpoints),
        )
    )


def of_entry(run: Run, entry: Entry | None, epochs: list[TimeBudget], wall: float) -> TimeBudget:
    """Return the budget of an entry: its epochs, and the checkpoints outside of them.

    Args:
        run: The run.
        entry: The entry.
        epochs: Budgets of its epochs that have ended.
        wall: How long it took, or has taken so far; the budget of an entry without a root ends where its parts are
            no longer known, so that an epoch that goes on is not called "other".
    """
    if entry is not None and entry.root is None:
        wall = _known(run, entry, wall)
    budget = total(epochs, wall)
    if entry is None:
        return budget
    end = entry.start + int(wall * 1e9)
    outside = [span for span in run.others if entry.start <= span.start and span.end <= end]
    saved = sum(span.seconds for span in _checkpoints(outside))
    budget = replace(budget, checkpoint=budget.checkpoint + saved)
    if entry.root is None:
        budget = _so_far(run, outside, budget)
    return _fitted(budget)


def _known(run: Run, entry: Entry, wall: float) -> float:
    ends = [epoch.span.end for epoch in entry.epochs]
    if _only_fit(run):
        ends += [point.time for point in run.points if point.name == semconv.METRIC_PHASE_DURATION and not point.rank]
    return min(wall, max(0, max(ends) - entry.start) / 1e9) if ends else wall


def _only_fit(run: Run) -> bool:
    # Counters run on through all entries of a process: they are those of a fit only where it is the only one.
    return sum(entry.name == semconv.FIT for entry in run.entries) == 1


def _so_far(run: Run, outside: list[SpanRecord], budget: TimeBudget) -> TimeBudget:
    # The epoch that goes on has no span yet, but the validations inside it have, and the counters know its batches.
    validations = [span for span in outside if span.name == semconv.VALIDATION]
    inside = sum(saved.seconds for each in validations for saved in _checkpoints(each.children))
    budget = replace(
        budget, validation=budget.validation + max(0.0, sum(each.seconds for each in validations) - inside)
    )
    if not _only_fit(run):
        return budget
    phases, batches = dict(budget.phases), budget.batches
    for point in run.points:
        if point.rank or point.attributes.get(semconv.STAGE) != Stage.TRAIN or not math.isfinite(point.value):
            continue
        if point.name == semconv.METRIC_PHASE_DURATION and point.attributes.get(semconv.PHASE) in set(Phase):
            phase = Phase(point.attributes[semconv.PHASE])
            phases[phase] = max(phases.get(phase, 0.0), min(point.value, budget.wall))
        elif point.name == semconv.METRIC_BATCHES:
            batches = max(batches, int(point.value))
    return replace(budget, phases=phases, batches=batches)


def _checkpoints(spans: list[SpanRecord]) -> list[SpanRecord]:
    return [span for span in spans if span.name == semconv.CHECKPOINT_SAVE]


def _fitted(budget: TimeBudget) -> TimeBudget:
    """Return the budget with parts that are no more than the whole.

    A checkpoint that a callback writes after a batch is in the time of the callbacks too: it is taken from there. What
    is still too much comes from clocks, and from files that were not written by a recording.
    """
    spent = sum(budget.phases.values()) + budget.validation + budget.checkpoint
    excess = spent - budget.wall
    if excess <= 0:
        return budget
    phases = dict(budget.phases)
    taken = min(excess, budget.checkpoint, phases.get(Phase.CALLBACKS, 0.0))
    if taken > 0:
        phases[Phase.CALLBACKS] -= taken
    scale = budget.wall / (spent - taken) if spent - taken > budget.wall else 1.0
    return replace(
        budget,
        phases={phase: seconds * scale for phase, seconds in phases.items()},
        validation=budget.validation * scale,
        checkpoint=budget.checkpoint * scale,
    )
