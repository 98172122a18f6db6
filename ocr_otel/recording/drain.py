"""Takes finished batches out of the journal, counts them, and makes traces of those that are kept."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from time import perf_counter_ns, sleep
from typing import Final

from opentelemetry.trace import Link

from ocr_otel.recording import batch_trace, ids, rows
from ocr_otel.recording.batch_path import BatchPath, Note
from ocr_otel.recording.batch_trace import KeptBatch, WorkerTiming
from ocr_otel.recording.callback_times import CallbackTimes
from ocr_otel.recording.device_times import passed, seconds_by_part
from ocr_otel.recording.instruments import Instruments
from ocr_otel.recording.rows import Detail
from ocr_otel.recording.summaries import PART_OF_PHASE, phase_nanoseconds
from ocr_otel.recording.surroundings import Around
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.telemetry import ExemplarPoint, Session

PAUSE_SECONDS: Final = 50e-6
"""Between two traces that are made beside the training, so that it gets the interpreter as soon as it asks for it."""


class Drain:
    """Any thread may call it. Times are monotonic nanoseconds.

    Args:
        session: The process's telemetry.
        path: The batch path, with its journal, its notes and the loop that runs.
        instruments: The metrics.
        failed: Takes what fails while a trace is made, with its cause; the others are made.
    """

    def __init__(
        self,
        session: Session,
        path: BatchPath,
        instruments: Instruments,
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._session = session
        self._preset = ids.preset_ids(session.tracer)
        self._path = path
        self._instruments = instruments
        self._failed = failed
        self._taking = threading.Lock()
        self._making = threading.Lock()
        self._active = False
        self._unmade: deque[tuple[Note, Detail]] = deque()
        self._forget(0, 0, Around(None, failed))

    def begin_entry(self, entry: int, offset: int, around: Around) -> None:
        """Forget the entry before.

        Args:
            entry: Number of the entry in this process.
            offset: Unix time minus monotonic time.
            around: Says what was different in a slow batch's time.
        """
        self._forget(entry, offset, around)
        self._active = True

    def end_entry(self) -> None:
        """Leave what comes now to itself."""
        self._active = False

    def _forget(self, entry: int, offset: int, around: Around) -> None:
        self._entry = entry
        self._offset = offset
        self._around = around
        self._unmade.clear()
        self.callbacks: CallbackTimes = CallbackTimes(self._path.journal)

    def catch_up(self) -> None:
        """Count and make all that is over, at once."""
        self.take()
        self.make()

    def collected(self) -> None:
        """Count what is over, because metrics are collected, in whatever thread that is."""
        if self._active and os.getpid() == self._session.pid:
            self.take()

    def beside(self) -> None:
        """Count and make what is over, in another thread than the training's."""
        if not self._active or os.getpid() != self._session.pid:
            return
        self.take()
        self.make(beside=True)
        loop = self._path.loop
        if loop is not None and perf_counter_ns() > loop.next_progress:
            # Spans of the run's trace are made by the training thread, at the end of the batch that runs.
            self._path.attend_at = 0

    def take(self) -> None:
        """Count the batches that are over, for the loop that runs."""
        with self._taking:
            path = self._path
            notes = path.notes[:]
            taken = rows.take(path.journal, [note.end for note in notes])
            loop = path.loop
            if taken is None:
                return
            over = sum(note.end <= taken.end for note in notes)
            del path.notes[:over]
            if loop is None:
                return
            self.callbacks.add(taken.own)
            loop.callbacks_between_ns += taken.between
            kept = self._look_at(notes, taken.details)
            if taken.workers:
                self._instruments.workers_done(loop.stage, [timing for group in taken.workers for timing in group])
                loop.made(taken.workers)
            if not len(taken.batches):
                return
            if taken.agree is not None:
                loop.learn(taken.agree, len(taken.batches))
            phases = phase_nanoseconds(taken.batches)
            loop.add(taken.batches, phases)
            path.renew_threshold()
            if path.watcher is not None:
                path.watcher.batches_done(loop, taken.batches[:, rows.DURATION].tolist())
            last_end = int(taken.batches[-1, rows.START] + taken.batches[-1, rows.DURATION])
            self._instruments.batches_done(loop.stage, taken.batches, phases, kept)
            self._instruments.epoch = loop.epoch
            self._instruments.last_batch_unix = (last_end + self._offset) / 1e9

    def _look_at(self, notes: list[Note], details: list[Detail]) -> list[int]:
        """Decide which of the batches become traces; return which rows they are."""
        chosen = []
        by_end = {detail.end: detail for detail in details}
        for note in notes:
            detail = by_end.get(note.end)
            if detail is None:
                continue
            detector = note.loop.detector
            slow = note.end - detail.row.start > note.threshold
            detector.found += slow
            kept = note.kept
            # One in a window of the profiler is slow by that.
            if slow and kept not in (Kept.ERROR, Kept.PROFILED) and detector.may_keep(note.end):
                kept = Kept.SLOW
            if kept is not None:
                self._unmade.append((note._replace(kept=kept), detail))
                chosen.append(detail.number)
                if kept is Kept.SLOW:
                    self._note_unmade(note._replace(kept=kept), detail)
        return chosen

    def _note_unmade(self, note: Note, detail: Detail) -> None:
        # Its trace waits for readings of its time: should the process be killed meanwhile, this is what is left of it.
        trace_id, span_id = self._ids(note)
        link = Link(note.loop.span.get_span_context())
        record = self._record(note, detail, settled=False)
        self._session.note(batch_trace.root(self._session, record, trace_id, span_id, link, self._offset))

    def make(self, beside: bool = False) -> None:
        """Make the traces of the batches that are kept.

        Args:
            beside: Whether the training goes on meanwhile: then it is let through between two of them, and a batch
                waits until its device has come past it and, where it is slow, it is known what was different.
        """
        made: dict[Stage, list[tuple[float, ExemplarPoint | None]]] = {}
        while self._make_next(beside, made):
            if beside:
                sleep(PAUSE_SECONDS)
        for stage, durations in made.items():
            self._instruments.kept_done(stage, durations)

    def _make_next(self, beside: bool, made: dict[Stage, list[tuple[float, ExemplarPoint | None]]]) -> bool:
        with self._making:
            at = self._settled() if beside else 0
            if at is None or not self._unmade:
                return False
            note, detail = self._unmade[at]
            del self._unmade[at]
            exemplar = None
            try:
                exemplar = self._emit(note, detail)
            except Exception as error:
                self._failed("batch_trace", error)
            seconds = (note.end - detail.row.start) / 1e9
            made.setdefault(note.loop.stage, []).append((seconds, exemplar))
            return True

    def _settled(self) -> int | None:
        """Return the place of the first batch whose trace can be made."""
        # Of a copy, which is made in one go: the training appends to it meanwhile.
        for at, (note, _) in enumerate(list(self._unmade)):
            if not passed(note.marks):
                # Nor has the device come past those behind it.
                return None
            # A slow one keeps none behind it from being made: should the process be killed they would be lost.
            if note.kept is not Kept.SLOW or perf_counter_ns() >= note.end + self._around.settle_ns:
                return at
        return None

    def _emit(self, note: Note, detail: Detail) -> ExemplarPoint | None:
        loop = note.loop
        trace_id, span_id = self._ids(note)
        context = batch_trace.emit(
            self._session,
            self._preset,
            self._record(note, detail),
            trace_id,
            span_id,
            Link(loop.span.get_span_context()),
            self._offset,
        )
        duration = note.end - detail.row.start
        loop.keep(duration, context)
        if not context.trace_flags.sampled:
            return None
        return ExemplarPoint(duration / 1e9, note.end + self._offset, context.trace_id, context.span_id)

    def _ids(self, note: Note) -> tuple[int, int]:
        return ids.batch_ids(self._session.identity, self._entry, note.loop.number, note.dataloader_idx, note.batch_idx)

    def _record(self, note: Note, detail: Detail, settled: bool = True) -> KeptBatch:
        row, around = detail.row, self._around
        assert note.kept is not None
        phases = {phase: row.parts[part] for phase, part in PART_OF_PHASE.items()}
        phases[Phase.LOOP] = max(0, note.end - row.start - sum(row.parts))
        return KeptBatch(
            stage=note.loop.stage,
            kept=note.kept,
            epoch=note.loop.epoch,
            batch_idx=note.batch_idx,
            dataloader_idx=note.dataloader_idx,
            global_step=note.global_step,
            samples=detail.samples,
            start=row.start,
            end=note.end,
            ratio=(note.end - row.start) / note.median if note.median else None,
            phases=phases,
            intervals=row.intervals,
            device=self._on_device(note) if settled else {},
            workers=[WorkerTiming(*timing) for timing in detail.workers],
            different=around.of_slow_batch(row.start, note.end, note.loop.start)
            if settled and note.kept is Kept.SLOW
            else {},
            error=note.error,
        )

    def _on_device(self, note: Note) -> dict[Phase, float]:
        by_part = seconds_by_part(self._path.journal, note.marks)
        return {phase: by_part[part] for phase, part in PART_OF_PHASE.items() if part in by_part}
