"""The contexts at the ends of a batch: the wait for its data, and the place where it is on its device."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from types import TracebackType
from typing import Final

from ocr_otel.recording import journal
from ocr_otel.recording.batch_path import BatchPath
from ocr_otel.recording.journal import NullContext, TimedContext
from ocr_otel.watchdog.cells import Cell

_BEGAN: Final = int(Cell.BATCH_BEGAN)
_INDEX: Final = int(Cell.BATCH_IDX)


class FetchContext(TimedContext):
    """Waiting for data, which is also where one batch ends and the next begins."""

    __slots__ = ("_arrived", "_cells", "_path")

    def __init__(self, path: BatchPath) -> None:
        super().__init__(path.journal, journal.FETCH)
        self._path = path
        self._arrived = path.journal.arrived
        self._cells = path.cells

    def __enter__(self) -> None:
        now = perf_counter_ns()
        path = self._path
        arrived = self._arrived
        if arrived and arrived[-1] is not None:
            # Lightning's first fetch ahead of an epoch's loop is not told.
            arrived.append(None)
        if path.fetched_in_step:
            self._time(now)
            self._code(self._enter)
            return
        if now > path.attend_at:
            path.attend(now)
            # What that took is no batch's time.
            self._time(now)
            self._code(journal.ROW)
            now = perf_counter_ns()
        path.attend_at = now + path.threshold
        self._cells[_INDEX] = path.batch_idx + 1
        self._cells[_BEGAN] = now
        self._time(now)
        self._code(journal.ROW_FETCH)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._time(perf_counter_ns())
        self._code(self._exit)
        self._arrived.append(None)


class TrainBatchContext:
    """The place where a training batch is known to be on its device.

    A hook of ours would tell the same for 15 µs more a batch: Lightning's call of it costs more than its work.

    Args:
        path: The batch path.
        index: Returns the batch's index.
        samples: Returns how many samples the batch holds; None where that is not known.
        hook: The context of the module's hook at this place.
        failed: Called with what fails on our side.
    """

    __slots__ = ("_code", "_failed", "_hook", "_index", "_path", "_samples", "_time")

    def __init__(
        self,
        path: BatchPath,
        index: Callable[[], int],
        samples: Callable[[], int | None],
        hook: TimedContext | NullContext,
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._path = path
        self._index = index
        self._samples = samples
        self._hook = hook
        self._failed = failed
        self._time = path.journal.times.append
        self._code = path.journal.codes.append

    def __enter__(self) -> None:
        path = self._path
        batch_idx = path.batch_idx + 1
        mark = journal.BATCH
        if batch_idx >= path.due_idx or path.counting:
            try:
                if batch_idx >= path.due_idx:
                    path.due(self._index())
                    batch_idx = path.batch_idx
                if path.counting:
                    samples = self._samples()
                    path.journal.samples.append(journal.UNKNOWN_SAMPLES if samples is None else samples)
                    mark = journal.COUNTED
            except Exception as error:
                self._failed("batch_start", error)
        path.batch_idx = batch_idx
        self._time(perf_counter_ns())
        self._code(mark)
        self._hook.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hook.__exit__(kind, error, trace)
