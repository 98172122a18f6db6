"""The batch path: from one request for data to the next, a row is written, and now and then a batch is kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final

from opentelemetry.context import attach, detach
from opentelemetry.trace import Link

from ocr_otel.recording import batch_trace, clock, ids, ring
from ocr_otel.recording.batch_trace import SAMPLES, KeptBatch, Timing, WorkerTiming
from ocr_otel.recording.loop import Loop
from ocr_otel.recording.summaries import CODE_OF_PHASE
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.telemetry import ExemplarPoint, Session

DRAIN_ROWS: Final = 512
"""Rows after which the training thread drains the ring itself: about 1 µs a batch, and an eighth of the ring."""

_NO_WORKERS: Final[tuple[Timing, ...]] = ()


class BatchPath:
    """What runs several times a batch. Times are monotonic nanoseconds.

    Args:
        session: The process's telemetry.
        drain: Takes the rows from the ring; called here when many wait.
        progress: Reports the part of a long epoch; called when one is due.

    Attributes:
        arrived: What dataloaders did for batches that the loop has just fetched.
        clock: The record of the batch that runs.
        ring: The rows of finished batches.
        loop: The epoch or validation that runs; None between.
        first_batch_at: When the first training batch of the entry was in hand.
        interrupted_at: When Lightning turned from training to validation; 0 while it trains.
        in_step: Whether the module's training step runs.
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
        self.arrived: deque[Timing] = deque()
        self._groups: deque[int] = deque()
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
        self.in_step = False
        self._open = False
        self._batch_start = 0
        self._batch_idx = -1
        self._dataloader_idx: int | None = None
        self._samples = 0
        self._planned: Kept | None = None
        self._workers = _NO_WORKERS
        self._token: Any = None
        self.arrived.clear()
        self._groups.clear()
        self._ahead: tuple[tuple[Timing, ...], tuple[int, ...]] = ((), ())

    def fetch_begins(self, now: int) -> None:
        """The loop asks for data: the batch before is over and the next begins."""
        if self._open:
            self._finish(now, None)
        else:
            self.settle()
        if self.arrived:
            self.fetch_ends()
        self._open = True
        self._batch_idx = -1
        self._batch_start = now
        self.interrupted_at = 0
        self.clock.reset()

    def fetch_ends(self) -> None:
        """The data is there; what Lightning fetches ahead of the loop waits for its batch."""
        number = len(self.arrived) - sum(self._groups)
        if not number:
            return
        self._groups.append(number)
        if self.in_step and self.loop is not None:
            # The step fetches its own batch, of which Lightning knew nothing, or the one before, when it began.
            self._take_workers(self.loop)
            self._samples = sum(timing[SAMPLES] for timing in self._workers)

    def settle(self) -> None:
        """Count what ran between batches for the loop that runs."""
        loop = self.loop
        if loop is not None:
            loop.callbacks_between_ns += self.clock.exclusive[clock.CALLBACKS]
        self.clock.reset()

    def batch_begins(self, batch_idx: int, dataloader_idx: int | None, samples: int) -> None:
        """The batch is on its device and its step is about to run."""
        loop = self.loop
        if loop is None:
            return
        if not self._open or self._batch_idx >= 0:
            # The fetches of a module that takes the iterator itself are inside its step, and end no batch.
            self.fetch_begins(perf_counter_ns())
        self._batch_idx = batch_idx
        self._dataloader_idx = dataloader_idx
        self._samples = samples
        if self._groups:
            self._take_workers(loop)
        if self.first_batch_at is None and loop.stage is Stage.TRAIN:
            self.first_batch_at = perf_counter_ns()
        self._planned = planned = loop.planned(batch_idx)
        if planned is not None:
            # Spans that the application makes inside a kept batch become its children.
            trace_id, span_id = self._ids(loop)
            self._token = attach(batch_trace.root_context(trace_id, span_id, sampled=True))

    def _take_workers(self, loop: Loop) -> None:
        self._workers = workers = tuple([self.arrived.popleft() for _ in range(self._groups.popleft())])
        loop.timings += workers

    def close_batch(self, now: int, error: BaseException | None = None) -> None:
        """End the batch that runs, if one does: validation begins, the epoch ends, or an exception came."""
        if self._open:
            self._finish(now, error)
            self.clock.reset()

    def interrupted(self, now: int) -> None:
        """A validation is about to interrupt the training."""
        self.close_batch(now)
        self.interrupted_at = now
        self._ahead = (tuple(self.arrived), tuple(self._groups))
        self.arrived.clear()
        self._groups.clear()

    def resumed(self) -> None:
        """The validation is over; data that was fetched ahead of it is the training's."""
        arrived, groups = self._ahead
        self._ahead = ((), ())
        self.arrived.extendleft(reversed(arrived))
        self._groups.extendleft(reversed(groups))

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
            workers=[WorkerTiming(*timing) for timing in self._workers],
            error=error,
        )

    def _ids(self, loop: Loop) -> tuple[int, int]:
        identity = self._session.identity
        trace_id = ids.batch_trace_id(
            identity.run_id, self._entry, loop.number, self._dataloader_idx or 0, self._batch_idx
        )
        return trace_id, ids.batch_span_id(trace_id, identity.rank)
