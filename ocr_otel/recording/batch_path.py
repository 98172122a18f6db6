"""The batch path: what runs several times a batch, and what a batch needs now and then."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, Final, NamedTuple

from opentelemetry.context import attach, detach

from ocr_otel.recording import batch_trace, journal, sampling
from ocr_otel.recording.device_times import Mark, Marks
from ocr_otel.recording.ids import batch_ids
from ocr_otel.recording.journal import Journal, Timing
from ocr_otel.recording.loop import Loop
from ocr_otel.recording.watcher import BatchWatcher
from ocr_otel.semconv import Kept, Stage
from ocr_otel.telemetry import Session
from ocr_otel.watchdog.cells import Cell, Values

FIRST_DRAIN: Final = sampling.MIN_BATCHES
"""Batches of a loop after which the training thread drains the journal itself, so that there is a median at once."""


class Note(NamedTuple):
    """What is known of a batch when it ends, for whoever reads its row later: it is planned, may be slow, or failed.

    Attributes:
        end: When it ended, monotonic nanoseconds.
        loop: The loop that it is of.
        kept: Why it is kept, slow or not; None where only slowness would be a reason.
        error: The exception that ended it.
        threshold: Nanoseconds above which it was slow.
        median: The running median then, nanoseconds; 0 without one.
        batch_idx: Its index.
        dataloader_idx: Which dataloader; None where there is one.
        global_step: Optimiser steps so far.
        marks: Events in the device's stream; empty where there is none, or the batch was not planned to be kept.
    """

    end: int
    loop: Loop
    kept: Kept | None
    error: BaseException | None
    threshold: int
    median: int
    batch_idx: int
    dataloader_idx: int | None
    global_step: int
    marks: tuple[Mark, ...]


class BatchPath:
    """Follows the batches of the loop that runs. Times are monotonic nanoseconds.

    Args:
        session: The process's telemetry.
        drain: Takes the complete rows from the journal, for the loop that runs.
        progress: Reports the part of a long epoch; called when one is due.
        failed: See the attribute.

    Attributes:
        journal: What contexts write.
        loop: The epoch or validation that runs; None between.
        first_batch_at: When the first training batch of the entry was in hand.
        interrupted_at: When Lightning turned from training to a validation that has not begun yet; 0 otherwise.
        notes: Batches that may become traces, in the order of their ends; taken by who drains.
        marks: Takes events in the device's stream; None without a device that has them.
        failed: Takes a failure of ours with its cause: what is called in the middle of a batch raises nothing.
        watcher: Told of batches that end; None where nobody wants to know.
        cells: Numbers that the process's watchdog sees.
        attend_cost: Nanoseconds that looking at batches took of the training thread.
        fetched_in_step: Whether the module takes the iterator and fetches inside its step.
        counting: Whether the samples of the next batch are to be counted in it; otherwise they are those that its
            dataloader was asked for.
        batch_idx: Index of the batch that runs, or ran last.
        due_idx: Index of the batch at which `due` is to be called.
        attend_at: Time after which the end of the batch that runs needs attention: it is slow, or to be kept.
        threshold: Duration above which a batch is slow.
    """

    __slots__ = (
        "_ahead", "_context", "_dataloader_idx", "_drain", "_drain_idx", "_entry", "_global_step", "_planned",
        "_progress", "_session", "attend_at", "attend_cost", "batch_idx", "cells", "counting", "due_idx",
        "failed", "fetched_in_step", "first_batch_at", "interrupted_at", "journal", "loop", "marks", "notes",
        "threshold", "watcher",
    )  # fmt: skip

    def __init__(
        self,
        session: Session,
        drain: Callable[[], None],
        progress: Callable[[Loop, int], None],
        failed: Callable[[str, Exception], None],
    ) -> None:
        self.journal: Journal = Journal()
        self.notes: list[Note] = []
        self.attend_cost: int = 0
        self.cells: Values = session.cells
        self._session = session
        self._drain = drain
        self.failed: Callable[[str, Exception], None] = failed
        self._progress = progress
        self.begin_entry(0, lambda: 0)

    def begin_entry(self, entry: int, global_step: Callable[[], int]) -> None:
        """Forget the entry before.

        Args:
            entry: Number of the entry in this process.
            global_step: Returns the optimiser steps so far.
        """
        self._entry = entry
        self._global_step = global_step
        self.loop: Loop | None = None
        self.first_batch_at: int | None = None
        self.interrupted_at: int = 0
        self.counting: bool = True
        self.fetched_in_step: bool = False
        self.batch_idx: int = -1
        self._planned: Kept | None = None
        self._context: Any = None
        self._ahead: list[Timing | None] = []
        self.notes.clear()
        self.marks: Marks | None = None
        self.watcher: BatchWatcher | None = None
        self.journal.forget()
        self.journal.write(perf_counter_ns(), journal.ROW)
        self._begin_indices()

    # --- loops --------------------------------------------------------------------------------------------------------

    def enter_loop(self, loop: Loop, fetched_in_step: bool) -> None:
        """Follow a loop.

        Args:
            loop: The loop.
            fetched_in_step: Whether the module takes the iterator and fetches inside its step.
        """
        if self.loop is not None:
            self.loop.left = (self.fetched_in_step, self.batch_idx, self.counting)
            if self.watcher is not None:
                self.watcher.loop_left(self.loop, self.batch_idx, over=False)
        self.loop = loop
        self.fetched_in_step = fetched_in_step
        self.counting = not fetched_in_step
        self.batch_idx = -1
        self._begin_indices()
        if self.watcher is not None:
            self.watcher.loop_entered(loop, -1)

    def _begin_indices(self) -> None:
        self._dataloader_idx: int | None = None
        self.due_idx: int = self.batch_idx + 1
        self._drain_idx = self.due_idx + FIRST_DRAIN
        self.attend_at: int = sampling.NEVER
        self.threshold: int = sampling.NEVER
        self.renew_threshold()

    def return_to_loop(self, loop: Loop | None) -> None:
        """Go on with the loop around the one that ended, and with the data that was fetched ahead of that.

        What the loop that ended has fetched and not used belongs to batches that never came.
        """
        over, self.loop = self.loop, loop
        if over is not None and self.watcher is not None:
            self.watcher.loop_left(over, self.batch_idx, over=True)
        self.journal.bring_back(self._ahead)
        self._ahead = []
        if loop is not None:
            self.fetched_in_step, self.batch_idx, self.counting = loop.left
            self._begin_indices()
            if self.watcher is not None:
                self.watcher.loop_entered(loop, self.batch_idx)

    def interrupted(self, now: int) -> None:
        """A validation is about to interrupt the training."""
        try:
            self.close_batch(now)
            self._drain()
            self.interrupted_at = now
            self._ahead = self.journal.set_aside()
        except Exception as failure:
            self.failed("interrupted", failure)

    def goes_on(self) -> None:
        """The training goes on, after a validation or without the one that was about to interrupt it."""
        if not self.interrupted_at:
            return
        try:
            self.interrupted_at = 0
            self.journal.bring_back(self._ahead)
            self._ahead = []
        except Exception as failure:
            self.failed("interrupted", failure)

    def renew_threshold(self) -> None:
        """Take the loop's new threshold of slowness over."""
        loop = self.loop
        if loop is not None and loop.detector.median:
            self.threshold = int(loop.detector.threshold)

    # --- batches ------------------------------------------------------------------------------------------------------

    def batch_begins(self, batch_idx: int, dataloader_idx: int | None, samples: int | None) -> None:
        """A batch is on its device, of a loop whose batches are told one by one with their samples, where known."""
        self._dataloader_idx = dataloader_idx
        self.due(batch_idx)
        self.journal.samples.append(journal.UNKNOWN_SAMPLES if samples is None else samples)
        self.journal.write(perf_counter_ns(), journal.COUNTED)

    def due(self, batch_idx: int) -> None:
        """Decide on a batch at whose index something is due: it is kept, the journal is long, or it is the first."""
        if self.fetched_in_step:
            # No fetch is seen that would end the batch before.
            now = perf_counter_ns()
            self.close_batch(now)
            self.attend_at = now + self.threshold
            self.cells[Cell.BATCH_IDX] = batch_idx
            self.cells[Cell.BATCH_BEGAN] = now
        self.batch_idx = batch_idx
        loop = self.loop
        if loop is None:
            return
        if self.first_batch_at is None and loop.stage is Stage.TRAIN:
            self.first_batch_at = perf_counter_ns()
        watcher = self.watcher
        planned = Kept.PROFILED if watcher is not None and watcher.profiling else loop.planned(batch_idx)
        self._planned = planned
        if planned is not None:
            # Spans that the application makes inside a kept batch become its children.
            if self.marks is not None:
                self.marks.current = []
            self._context = attach(batch_trace.root_context(*self.batch_ids(loop), sampled=True))
        watched_idx = sampling.NEVER if watcher is None else watcher.due_idx
        if planned is not None or batch_idx >= min(self._drain_idx, watched_idx):
            self.attend_at = 0
        # A batch that is looked at anyway is counted too, so that a loader that is not what it was is found.
        self.counting = (loop.counted or planned is not None) and not self.fetched_in_step
        self.due_idx = batch_idx + 1
        if not self.fetched_in_step:
            self.due_idx = max(self.due_idx, min(loop.next_planned(batch_idx), self._drain_idx, watched_idx))

    def attend(self, now: int, error: BaseException | None = None) -> None:
        """Note the row that ends now: if it is a batch that is planned, slow or failed, it becomes a trace."""
        try:
            self._attend(now, error)
        except Exception as failure:
            self.failed("batch", failure)

    def _attend(self, now: int, error: BaseException | None) -> None:
        self.detach()
        planned, self._planned = self._planned, None
        loop = self.loop
        if loop is None:
            return
        self.notes.append(
            Note(
                end=now,
                loop=loop,
                kept=planned if error is None else Kept.ERROR,
                error=error,
                threshold=self.threshold,
                median=loop.detector.median,
                batch_idx=self.batch_idx,
                dataloader_idx=self._dataloader_idx,
                global_step=self._global_step(),
                marks=self.marks.take() if self.marks is not None else (),
            )
        )
        self.counting = loop.counted and not self.fetched_in_step
        if self.batch_idx >= self._drain_idx:
            self._drain()
            self._drain_idx = sampling.NEVER if loop.detector.median else self.batch_idx + FIRST_DRAIN
        if now > loop.next_progress:
            self._progress(loop, now)
        self.attend_cost += perf_counter_ns() - now
        if self.watcher is not None:
            self.watcher.batch_ended(loop, self.batch_idx, self.journal.row_began(), now)
            self.due_idx = min(self.due_idx, max(self.watcher.due_idx, self.batch_idx + 1))

    def detach(self) -> None:
        """Leave a kept batch: what the application makes now is no child of it."""
        context, self._context = self._context, None
        if context is not None:
            detach(context)

    def close_batch(self, now: int, error: BaseException | None = None) -> None:
        """End the row that runs: validation begins, the epoch ends, or an exception came."""
        if now > self.attend_at or error is not None:
            self.attend(now, error)
        self.attend_at = sampling.NEVER
        self.cells[Cell.BATCH_BEGAN] = 0
        self.journal.write(now, journal.ROW)

    def batch_ids(self, loop: Loop) -> tuple[int, int]:
        """Return the ids of the trace and of the root span of the loop's batch that runs, or ran last."""
        return self.ids_at(loop, self.batch_idx)

    def ids_at(self, loop: Loop, batch_idx: int) -> tuple[int, int]:
        """Return the same of a batch of the dataloader that is read now."""
        return batch_ids(self._session.identity, self._entry, loop.number, self._dataloader_idx, batch_idx)
