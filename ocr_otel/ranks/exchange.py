"""What a rank tells the others of the loop that runs, and what it learns of itself from rank 0, who compares them."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.ranks.board import Board
from ocr_otel.ranks.history import History
from ocr_otel.ranks.notes import Answer, Report, read_answer, read_report
from ocr_otel.ranks.straggling import Comparison
from ocr_otel.ranks.synchronisations import Synchronisations
from ocr_otel.semconv import Phase

logger: Final = logging.getLogger("ocr_otel")

INTERVAL: Final = 5.0
"""Seconds between two reports: an alert looks at minutes."""
RANKS_PER_SECOND: Final = 100
"""Above 500 ranks reports become rarer, so that rank 0 reads no more than so many a second."""
LAST_WAIT: Final = 0.05
"""Seconds that rank 0 waits at the end of an epoch for the others' last reports; they ended it with the same step."""
_SLOTS: Final = 8
"""Reports of a rank that may wait to be read; the store does not grow."""
MAX_LISTED: Final = 64
"""Ranks of which each one's delay is told; an attribute of thousands of numbers is read by nobody."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a loop has added up to so far.

    Attributes:
        batches: Its batches.
        phases: Seconds of each phase in them.
        offset: Unix time minus monotonic time, nanoseconds.
    """

    batches: int
    phases: Mapping[Phase, float]
    offset: int


@dataclass(slots=True)
class Figures:
    """What is known of this rank.

    Attributes:
        delay: Seconds that it arrives after the median of the others; None where they could not be compared yet.
        last: Steps at which it arrived last, in all loops so far.
        clock: Seconds that its host's clock is ahead of rank 0's, and the error of that; None on the same host.
    """

    delay: float | None = None
    last: int = 0
    clock: tuple[float, float] | None = None


class Exchange:
    """One rank's part. Any thread may call it.

    Args:
        board: Where the ranks leave their notes.
        rank: This rank.
        world_size: Number of ranks.
        figures: Where it is written what is known of this rank; they go on from one entry to the next.

    Attributes:
        synchronisations: Where the training's thread writes them.
    """

    def __init__(self, board: Board, rank: int, world_size: int, figures: Figures) -> None:
        self.synchronisations: Synchronisations = Synchronisations()
        self._figures = figures
        self._board = board
        self._rank = rank
        self._world_size = world_size
        self._host = socket.gethostname()
        self._lock = threading.Lock()
        self._interval = max(INTERVAL, world_size / RANKS_PER_SECOND)
        self._due = 0.0
        self._number = 0
        self._next = dict.fromkeys(range(world_size), 0)
        self._absent: set[int] = set()
        self._history: History | None = None
        self._loop: tuple[int, int] | None = None
        self._before = figures.last
        self._counted: dict[int, int] = {}
        self._comparison: Comparison | None = None

    def loop_begins(self, entry: int, loop: int) -> None:
        """An epoch begins; its numbers are the same on every rank."""
        with self._lock:
            self.synchronisations.forget()
            self._loop = (entry, loop)
            if self._history is not None:
                for rank, last in self._history.last.items():
                    self._counted[rank] = self._counted.get(rank, 0) + last
            self._history = History(self._loop) if self._rank == 0 else None
            self._comparison = None
            self._due = monotonic() + self._interval

    def beside(self, told: Told) -> None:
        """Tell and learn what there is, now and then, beside the training."""
        if monotonic() < self._due:
            return
        with self._lock:
            if self._loop is None:
                return
            self._due = monotonic() + self._interval
            try:
                self._tell(told, over=False)
                self._learn()
            except RuntimeError:
                self._store_gone()

    def loop_ends(self, told: Told) -> dict[str, Any]:
        """Tell what is left, and return what is known as attributes of the epoch."""
        with self._lock:
            if self._loop is None:
                return {}
            try:
                self._tell(told, over=True)
                if self._history is not None:
                    self._wait_for_all(self._history)
                self._learn()
            except RuntimeError:
                self._store_gone()
            self._loop = None
            return self._attributes()

    def _store_gone(self) -> None:
        # With the rank that kept it, which is what the training itself ends by.
        self._loop = None
        logger.info("ocr_otel: ranks are no longer compared: the store of the process group is gone.")

    def _tell(self, told: Told, over: bool) -> None:
        assert self._loop is not None
        part = self.synchronisations.take()
        report = Report(
            number=self._number,
            loop=self._loop,
            over=over,
            host=self._host,
            batches=told.batches,
            phases=dict(told.phases),
            first=part.first,
            waits=part.waits,
            left=part.left + told.offset,
        )
        self._number += 1
        if self._history is not None:
            self._history.add(self._rank, report)
        else:
            self._board.leave(_told(self._loop, self._rank, report.number), report.encode())

    def _learn(self) -> None:
        history, loop = self._history, self._loop
        if history is None:
            note = self._board.read(_answer(loop, self._rank)) if loop is not None else None
            answer = read_answer(note) if note is not None else None
            if answer is not None:
                self._take(answer)
            return
        self._collect(history, set(range(self._world_size)) - {self._rank})
        history.round()
        found = history.compare()
        if found is None:
            return
        self._comparison = found
        clocks = history.clocks()
        for rank, delay in zip(found.ranks, found.delays, strict=True):
            offset, error = clocks.get(rank, (None, 0.0))
            last = self._counted.get(rank, 0) + history.last.get(rank, 0)
            answer = Answer(delay, last, offset, error)
            if rank == self._rank:
                self._take(answer)
            else:
                self._board.leave(_answer(history.loop, rank), answer.encode())

    def _take(self, answer: Answer) -> None:
        self._figures.delay = answer.delay
        self._figures.clock = (answer.offset, answer.error) if answer.offset is not None else None
        self._figures.last = max(self._figures.last, self._before + answer.last)

    def _collect(self, history: History, ranks: set[int]) -> None:
        wanted = sorted(ranks)
        while wanted:
            notes = self._board.read_all([_told(history.loop, rank, self._next[rank]) for rank in wanted])
            further = []
            for rank, note in zip(wanted, notes, strict=True):
                report = read_report(note) if note is not None else None
                if report is None or report.number < self._next[rank]:
                    continue
                self._next[rank] = report.number + 1
                self._absent.discard(rank)
                history.add(rank, report)
                further.append(rank)
            wanted = further

    def _wait_for_all(self, history: History) -> None:
        others = set(range(self._world_size)) - {self._rank} - self._absent
        deadline = monotonic() + LAST_WAIT
        while not history.over(others):
            if monotonic() > deadline:
                # Not recorded, or of another version: nobody waits for it again.
                self._absent |= {rank for rank in others if not history.over({rank})}
                return
            self._collect(history, others)
            time.sleep(0.001)

    def _attributes(self) -> dict[str, Any]:
        attributes: dict[str, Any] = {}
        if self._figures.clock is not None:
            attributes[semconv.CLOCK_OFFSET], attributes[semconv.CLOCK_ERROR] = self._figures.clock
        found = self._comparison
        if found is None:
            return attributes
        attributes[semconv.RANKS_COMPARED] = len(found.ranks)
        attributes[semconv.SYNCHRONISATIONS] = found.steps
        if self._world_size <= MAX_LISTED:
            delays = dict(zip(found.ranks, found.delays, strict=True))
            attributes[semconv.RANKS_DELAY] = [delays.get(rank, -1.0) for rank in range(self._world_size)]
        straggler = found.straggler
        if straggler is not None:
            attributes[semconv.STRAGGLER_RANK] = straggler.rank
            attributes[semconv.STRAGGLER_RATIO] = straggler.ratio
            attributes[semconv.STRAGGLER_SECONDS] = straggler.delay
            attributes[semconv.STRAGGLER_SUMMARY] = straggler.summary
            if straggler.phase is not None:
                attributes[semconv.STRAGGLER_PHASE] = str(straggler.phase)
        return attributes


def _told(loop: tuple[int, int], rank: int, number: int) -> str:
    # Reports are numbered anew in each entry, and those of the one before are still there.
    return f"told/{loop[0]}/{rank}/{number % _SLOTS}"


def _answer(loop: tuple[int, int], rank: int) -> str:
    return f"answer/{loop[0]}/{rank}"
