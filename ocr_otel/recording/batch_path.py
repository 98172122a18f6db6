"""The batch path: from one request for data to the next, a row is written, and now and then a batch is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final

from opentelemetry.context import attach, detach
from opentelemetry.trace import Link

from ocr_otel.recording import batch_trace, clock, ids, ring, sampling
from ocr_otel.recording.batch_trace import KeptBatch, WorkerTiming
from ocr_otel.recording.loop import Loop
from ocr_otel.recording.summaries import CODE_OF_PHASE
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.telemetry import ExemplarPoint, Session

DRAIN_ROWS: Final = 512
"""Rows after which the training thread drains the ring itself: about 1 µs a batch, and an eighth of the ring."""

_NO_WORKERS: Final[list[WorkerTiming]] = []


class BatchPath:
    """What runs several times a batch. Times are monotonic nanoseconds.

    Args:
        session: The process's telemetry.
        drain: Takes the rows from the ring; called here when many wait.
        progress: Reports the part of a long epoch; called when one is due.

    Attributes:
        clock: The record of the batch that runs.
        ring: The rows of finished batches.
        loop: The epoch or validation that runs; None between.
        first_batch_at: When the first training batch of the entry was in hand.
        interrupted_at: When Lightning turned from training to validation; 0 while it trains.
        span_cost: Nanoseconds that making spans took.
        drain_cost: Nanoseconds that draining took of the training thread.
    """

    def __init__(self, session: Session, drain: Callable[[], None], progress: Callable[[Loop, int], None]) -> None:
        self.clock = clock.BatchClock()
        self.ring = ring.BatchRing()
        self.span_cost = 0
        self.drain_cost = 0
        self._session = session
        self._preset = ids.preset_ids(session.tracer)
        self._drain = drain
        self._progress = progress
        self._arrived: list[WorkerTiming] = []
        self._groups: deque[list[WorkerTiming]] = deque()
        self.begin_entry(0, 0, lambda: 0)

    def begin_entry(self, entry: int, offset: int, global_step: Callable[[], int]) -> None:
        """Forget the entry before.

        Args:
            entry: Number of the entry in this process.
            offset: Unix time minus monotonic time, nanoseconds.
            global_step: Returns the optimiser steps so far.
        """
        self._entry = entry
        self._offset = offset
        self._global_step = global_step
        self.loop: Loop | None = None
        self.first_batch_at: int | None = None
        self.interrupted_at = 0
        self._open = False
        self._batch_start = 0
        self._batch_idx = -1
        self._dataloader_idx: int | None = None
        self._samples = 0
        self._planned: Kept | None = None
        self._workers: list[WorkerTiming] = _NO_WORKERS
        self._token: Any = None
        self._arrived.clear()
        self._groups.clear()

    def worker_timing(self, timing: WorkerTiming) -> None:
        """Take what a dataloader did for a batch that the loop has just fetched."""
        self._arrived.append(timing)

    def fetch_begins(self, now: int) -> None:
        """The loop asks for data: the batch before is over and the next begins."""
        if self._open:
            self._finish(now, None)
        if self._arrived:
            # Data that Lightning fetched ahead of the loop belongs to an earlier batch than what comes now.
            self.fetch_ends()
        self._open = True
        self._batch_idx = -1
        self._batch_start = now
        self.interrupted_at = 0
        self.clock.reset()

    def fetch_ends(self) -> None:
        """The data is there."""
        if self._arrived:
            self._groups.append(self._arrived[:])
            self._arrived.clear()

    def batch_begins(self, batch_idx: int, dataloader_idx: int | None, samples: int) -> None:
        """The batch is on its device and its step is about to run."""
        loop = self.loop
        if loop is None:
            return
        if not self._open:
            # A loop whose fetches are not seen (the module takes the iterator itself) still has batches.
            self.fetch_begins(perf_counter_ns())
        self._batch_idx = batch_idx
        self._dataloader_idx = dataloader_idx
        self._samples = samples
        if self._groups:
            self._workers = self._groups.popleft()
            loop.timings += self._workers
        if self.first_batch_at is None and loop.stage is Stage.TRAIN:
            self.first_batch_at = perf_counter_ns()
        planned = sampling.planned(batch_idx, loop.every, loop.budget, loop.unknown_length)
        self._planned = planned
        if planned is not None:
            # Spans that the application makes inside a kept batch become its children.
            trace_id, span_id = self._ids(loop)
            self._token = attach(batch_trace.root_context(trace_id, span_id, sampled=True))

    def close_batch(self, now: int, error: BaseException | None = None) -> None:
        """End the batch that runs, if one does: validation begins, the epoch ends, or an exception came."""
        if self._open:
            self._finish(now, error)

    def interrupted(self, now: int) -> None:
        """A validation is about to interrupt the training."""
        self.close_batch(now)
        self.interrupted_at = now

    def _finish(self, now: int, error: BaseException | None) -> None:
        self._open = False
        loop = self.loop
        if loop is None or self._batch_idx < 0:
            # A fetch that found the end of the data is no batch.
            return
        duration = now - self._batch_start
        waiting = self.ring.write(self._samples, self._batch_start, duration, self.clock.exclusive)
        slow = loop.detector.is_slow(duration)
        if slow or self._planned is not None or error is not None:
            self._keep(loop, now, slow, error)
        self._workers = _NO_WORKERS
        if waiting >= DRAIN_ROWS:
            began = perf_counter_ns()
            self._drain()
            self.drain_cost += perf_counter_ns() - began
        if now > loop.next_progress:
            self._progress(loop, now)

    def _keep(self, loop: Loop, now: int, slow: bool, error: BaseException | None) -> None:
        began = perf_counter_ns()
        if self._token is not None:
            detach(self._token)
            self._token = None
        kept, self._planned = self._planned, None
        if error is not None:
            kept = Kept.ERROR
        elif slow and loop.detector.may_keep(now):
            kept = Kept.SLOW
        if kept is None:
            return
        duration = now - self._batch_start
        trace_id, span_id = self._ids(loop)
        context = batch_trace.emit(
            self._session.tracer,
            self._preset,
            self._record(loop, kept, now, error),
            trace_id,
            span_id,
            Link(loop.span.get_span_context()),
            self._offset,
        )
        loop.keep(duration, context)
        if context.trace_flags.sampled:
            loop.exemplars.append(ExemplarPoint(duration / 1e9, now + self._offset, context.trace_id, context.span_id))
        self.span_cost += perf_counter_ns() - began

    def _record(self, loop: Loop, kept: Kept, now: int, error: BaseException | None) -> KeptBatch:
        record = self.clock
        duration = now - self._batch_start
        median = loop.detector.median
        phases = {phase: record.exclusive[code] for phase, code in CODE_OF_PHASE.items()}
        phases[Phase.LOOP] = max(0, duration - sum(record.exclusive))
        flat = record.intervals
        return KeptBatch(
            stage=loop.stage,
            kept=kept,
            epoch=loop.epoch,
            batch_idx=self._batch_idx,
            dataloader_idx=self._dataloader_idx,
            global_step=self._global_step(),
            samples=self._samples,
            start=self._batch_start,
            end=now,
            ratio=duration / median if median else None,
            phases=phases,
            intervals=[(flat[at], flat[at + 1], flat[at + 2]) for at in range(0, record.used, 3)],
            workers=self._workers,
            error=error,
        )

    def _ids(self, loop: Loop) -> tuple[int, int]:
        identity = self._session.identity
        trace_id = ids.batch_trace_id(
            identity.run_id, self._entry, loop.number, self._dataloader_idx or 0, self._batch_idx
        )
        return trace_id, ids.batch_span_id(trace_id, identity.rank)
