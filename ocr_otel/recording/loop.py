"""What the recorder knows of the epoch or validation that runs now."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil
from opentelemetry.trace import Span, SpanContext

from ocr_otel import semconv
from ocr_otel.recording import journal, sampling
from ocr_otel.recording.journal import Timing
from ocr_otel.recording.rows import DURATION, PARTS
from ocr_otel.recording.summaries import Interruptions, LoopSummary, Making, Totals
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.settings import Settings

SLOWEST_LINKED: Final = 5
"""Slowest kept batches that an epoch's span links to."""


class Loop:
    """An epoch, a validation, or the one loop of `validate`, `test` and `predict`.

    Attributes:
        counted: Whether the samples of its next batches are to be counted in them.
        left: Where the batch path was when another loop interrupted this one.
    """

    def __init__(
        self,
        stage: Stage,
        epoch: int,
        start: int,
        span: Span,
        own_span: bool,
        total_batches: float,
        settings: Settings,
        detector: sampling.SlowDetector,
        number: int,
        next_progress: int,
        count_always: bool,
    ) -> None:
        self.stage = stage
        self.epoch = epoch
        self.start = start
        self.span = span
        self.own_span = own_span
        self.number = number
        self.budget: int = settings.batch_spans
        self.total_batches = total_batches
        self.unknown_length: bool = math.isinf(total_batches)
        self.every: int = sampling.stride(total_batches, self.budget)
        self.detector = detector
        self._slow_before = detector.found
        self.counted: bool = True
        self._compared = 0
        self._count_always = count_always
        self.left: tuple[bool, int, bool] = (False, -1, True)
        self.next_progress: float = next_progress if stage is Stage.TRAIN else math.inf
        self.nested_ns = 0
        self.nested = 0
        self.checkpoint_ns = 0
        self.checkpoints = 0
        self.callbacks_between_ns = 0
        self.token: Any = None
        self._first_wait_ns = 0
        self._making = (0, 0, 0, 0, 0)
        self._totals = Totals()
        self._since_progress = Totals()
        self._slow_at_progress = detector.found
        self._kept: list[tuple[int, SpanContext]] = []

    def planned(self, batch_idx: int) -> Kept | None:
        """Say from its index alone why a batch is to be kept; None where it is not."""
        return sampling.planned(batch_idx, self.every, self.budget, self.unknown_length)

    def next_planned(self, batch_idx: int) -> int:
        """Return the index of the next batch that is to be kept for its index."""
        return sampling.next_planned(batch_idx, self.every, self.budget, self.unknown_length)

    def learn(self, agree: bool, number: int) -> None:
        """Take note whether counted batches held the samples that their dataloader was asked for.

        After some that did, only batches that are looked at anyway are counted; after one that did not, all are.
        """
        self._count_always = self._count_always or not agree
        self._compared += number
        self.counted = self._count_always or self._compared < sampling.FIRST_BATCHES

    def add(self, rows: npt.NDArray[np.int64], phases: dict[Phase, npt.NDArray[np.int64]]) -> None:
        """Add drained rows."""
        self.detector.add(rows[:, DURATION])
        if not self._totals.batches:
            self._first_wait_ns = int(rows[0, PARTS + journal.FETCH])
        self._totals.add(rows, phases)
        if not math.isinf(self.next_progress):
            self._since_progress.add(rows, phases)

    def so_far(self) -> tuple[int, dict[Phase, float]]:
        """Return the number of its batches so far, and the seconds of each phase in them."""
        totals = self._totals
        return totals.batches, {phase: nanoseconds / 1e9 for phase, nanoseconds in totals.phases.items()}

    def longest_batch(self) -> int:
        """Return the nanoseconds of its longest batch so far."""
        return self._totals.longest

    def made(self, groups: Sequence[Sequence[Timing]]) -> None:
        """Add what dataloaders did for so many of its batches."""
        _, _, start, collate, end, _, _, _, cpu = zip(*(timing for group in groups for timing in group), strict=True)
        # The CPU time is asked now and then: these are the batches that it is known of.
        known = [(after - before, took) for before, after, took in zip(start, collate, cpu, strict=True) if took >= 0]
        batches, dataset, asked, dataset_cpu, collating = self._making
        self._making = (
            batches + len(groups),
            dataset + sum(collate) - sum(start),
            asked + sum(lasted for lasted, _ in known),
            dataset_cpu + sum(took for _, took in known),
            collating + sum(end) - sum(collate),
        )

    def keep(self, duration: int, context: SpanContext) -> None:
        """Remember a kept batch among the slowest."""
        kept = self._kept
        kept.append((duration, context))
        if len(kept) > 2 * SLOWEST_LINKED:
            kept.sort(key=lambda item: -item[0])
            del kept[SLOWEST_LINKED:]

    def slowest(self) -> list[SpanContext]:
        """Return the slowest kept batches that were sampled."""
        self._kept.sort(key=lambda item: -item[0])
        return [context for _, context in self._kept[:SLOWEST_LINKED] if context.trace_flags.sampled]

    def summary(
        self,
        now: int,
        slowest: tuple[str, int],
        skipped_steps: int,
        interruptions: Interruptions,
    ) -> LoopSummary:
        """Return what the loop adds up to.

        Args:
            now: Its end.
            slowest: Name and nanoseconds of the callback or module hook that took most time.
            skipped_steps: Optimiser steps that a gradient scaler skipped in it.
            interruptions: What held the training up beside its batches.
        """
        name, took = slowest
        summary = _summary(
            self, self._totals, now - self.start, self.detector.found - self._slow_before, name, took, skipped_steps
        )
        batches, dataset, asked, dataset_cpu, collate = self._making
        of_all = dataset / asked if asked else 0.0
        return replace(
            summary,
            making=Making(batches, dataset / 1e9, dataset_cpu * of_all / 1e9, collate / 1e9),
            interruptions=interruptions,
            first_wait=self._first_wait_ns / 1e9,
            validations=self.nested,
            checkpoints=self.checkpoints,
        )

    def progress_summary(self, now: int, begun: int) -> LoopSummary:
        """Return what was done since `begun`, and begin the next part."""
        found = self.detector.found
        summary = _summary(self, self._since_progress, now - begun, found - self._slow_at_progress, "", 0, 0)
        self._since_progress = Totals()
        self._slow_at_progress = found
        return summary


def _summary(
    loop: Loop, totals: Totals, wall: int, slow: int, callback: str, callback_ns: int, skipped_steps: int
) -> LoopSummary:
    return LoopSummary(
        stage=loop.stage,
        wall=wall / 1e9,
        batches=totals.batches,
        samples=totals.samples,
        phases={phase: nanoseconds / 1e9 for phase, nanoseconds in totals.phases.items()},
        mean=totals.nanoseconds / 1e9 / totals.batches if totals.batches else 0.0,
        p50=totals.percentile(0.50),
        p95=totals.percentile(0.95),
        p99=totals.percentile(0.99),
        longest=totals.longest / 1e9,
        slow_batches=slow,
        validation=loop.nested_ns / 1e9,
        checkpoint=loop.checkpoint_ns / 1e9,
        callbacks_between=loop.callbacks_between_ns / 1e9,
        slowest_callback=callback,
        slowest_callback_seconds=callback_ns / 1e9,
        skipped_steps=skipped_steps,
    )


def _resident() -> int | None:
    """Return the resident bytes of this process; None where they cannot be read, such as for want of descriptors."""
    try:
        return int(psutil.Process(os.getpid()).memory_info().rss)
    except (OSError, psutil.Error):
        return None


def loop_attributes(summary: LoopSummary) -> dict[str, Any]:
    """Return the attributes of an epoch's, validation's or progress span."""
    attributes: dict[str, Any] = {
        semconv.BATCHES: summary.batches,
        semconv.SAMPLES: summary.samples,
        semconv.BATCH_MEAN: summary.mean,
        semconv.BATCH_P50: summary.p50,
        semconv.BATCH_P95: summary.p95,
        semconv.BATCH_P99: summary.p99,
        semconv.BATCH_MAX: summary.longest,
        semconv.SLOW_BATCHES: summary.slow_batches,
    }
    resident = _resident()
    if resident is not None:
        attributes[semconv.MEMORY_RSS] = resident
    for phase, seconds in summary.phases.items():
        if seconds:
            attributes[semconv.phase_seconds(phase)] = seconds
    if summary.in_batches > 0:
        attributes[semconv.THROUGHPUT] = summary.samples / summary.in_batches
        attributes[semconv.DATA_WAIT_RATIO] = summary.phases[Phase.FETCH] / summary.in_batches
    if summary.slowest_callback and summary.stage is Stage.TRAIN:
        attributes[semconv.SLOWEST_CALLBACK] = summary.slowest_callback
        attributes[semconv.SLOWEST_CALLBACK_SECONDS] = summary.slowest_callback_seconds
    if summary.callbacks_between:
        attributes[semconv.CALLBACKS_BETWEEN] = summary.callbacks_between
    if summary.skipped_steps:
        attributes[semconv.AMP_SKIPPED] = summary.skipped_steps
    if summary.stage is Stage.TRAIN:
        attributes |= evidence_attributes(summary)
    attributes |= _device_memory()
    return attributes


def evidence_attributes(summary: LoopSummary) -> dict[str, Any]:
    """Return the attributes of an epoch that its verdict rests on beside the phases."""
    making, interruptions = summary.making, summary.interruptions
    attributes: dict[str, Any] = {}
    if making.batches:
        attributes = {
            semconv.MADE_BATCHES: making.batches,
            semconv.DATASET_SECONDS: making.dataset,
            semconv.DATASET_CPU_SECONDS: making.dataset_cpu,
            semconv.COLLATE_SECONDS: making.collate,
        }
    found = {
        semconv.LOADER_START_SECONDS: interruptions.starting,
        semconv.FIRST_WAIT_SECONDS: summary.first_wait,
        semconv.COLLECTING_SECONDS: interruptions.collecting,
        semconv.FULL_COLLECTIONS: interruptions.collections,
        semconv.COMPILING_SECONDS: interruptions.compiling,
        semconv.RECOMPILING_SECONDS: interruptions.recompiling,
        semconv.RECOMPILATIONS: interruptions.recompilations,
        semconv.PROFILING_SECONDS: interruptions.profiling,
        semconv.CPU_DELAY_SECONDS: interruptions.cpu_delay,
        semconv.MAIN_THREAD_CPU_SECONDS: interruptions.main_cpu,
        semconv.VALIDATIONS: summary.validations,
        semconv.CHECKPOINTS: summary.checkpoints,
    }
    return attributes | {name: value for name, value in found.items() if value}


def _device_memory() -> dict[str, int]:
    import torch

    if not torch.cuda.is_initialized():
        return {}
    return {semconv.MEMORY_PEAK: torch.cuda.max_memory_allocated()}
