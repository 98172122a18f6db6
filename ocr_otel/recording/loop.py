"""What the recorder knows of the epoch or validation that runs now."""

from __future__ import annotations

import math
import os
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import psutil
from opentelemetry.trace import Span, SpanContext

from ocr_otel import semconv
from ocr_otel.recording import clock, sampling
from ocr_otel.recording.batch_trace import Timing
from ocr_otel.recording.summaries import LoopSummary, Totals
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry import ExemplarPoint

SLOWEST_LINKED: Final = 5
"""Slowest kept batches that an epoch's span links to."""


class Loop:
    """An epoch, a validation, or the one loop of `validate`, `test` and `predict`."""

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
    ) -> None:
        self.stage = stage
        self.epoch = epoch
        self.start = start
        self.span = span
        self.own_span = own_span
        self.number = number
        self.budget = settings.batch_spans
        self.unknown_length = math.isinf(total_batches)
        self.every = sampling.stride(total_batches, self.budget)
        self.detector = detector
        self._slow_before = detector.found
        self.timings: list[Timing] = []
        self.exemplars: list[ExemplarPoint] = []
        self.next_progress: float = next_progress if stage is Stage.TRAIN else math.inf
        self.nested_ns = 0
        self.checkpoint_ns = 0
        self.callbacks_between_ns = 0
        self.token: Any = None
        self._totals = Totals()
        self._since_progress = Totals()
        self._slow_at_progress = detector.found
        self._kept: list[tuple[int, SpanContext]] = []

    def planned(self, batch_idx: int) -> Kept | None:
        """Say from its index alone why a batch is to be kept; None where it is not."""
        every = self.every
        if every and batch_idx % every and batch_idx >= sampling.FIRST_BATCHES:
            return None
        return sampling.planned(batch_idx, every, self.budget, self.unknown_length)

    def add(self, rows: npt.NDArray[np.int64], phases: dict[Phase, npt.NDArray[np.int64]]) -> None:
        """Add drained rows."""
        self._totals.add(rows, phases)
        if not math.isinf(self.next_progress):
            self._since_progress.add(rows, phases)

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

    def summary(self, now: int, hooks: list[clock.HookContext], skipped_steps: int) -> LoopSummary:
        """Return what the loop adds up to, and take the totals of the hooks."""
        slowest = max(hooks, key=lambda hook: hook.total, default=None)
        name, took = (slowest.name, slowest.total) if slowest is not None and slowest.total else ("", 0)
        if self.stage is Stage.TRAIN:
            for hook in hooks:
                hook.total = 0
        return _summary(
            self, self._totals, now - self.start, self.detector.found - self._slow_before, name, took, skipped_steps
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
        semconv.MEMORY_RSS: psutil.Process(os.getpid()).memory_info().rss,
    }
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
    attributes |= _device_memory()
    return attributes


def _device_memory() -> dict[str, int]:
    import torch

    if not torch.cuda.is_initialized():
        return {}
    return {semconv.MEMORY_PEAK: torch.cuda.max_memory_allocated()}
