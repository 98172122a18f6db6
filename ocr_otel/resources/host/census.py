"""Which processes there are, and who each of them is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from ocr_otel.resources.host import family
from ocr_otel.resources.host.attribution import Key, Tracked
from ocr_otel.resources.host.counts import counts_of
from ocr_otel.semconv import ProcessRole

MAX_WORKERS: Final = 64
"""Workers with series of their own: those with a lower id; further ones are one series without an id."""
MAX_PROCESSES: Final = 512
"""Processes that are read; it takes some 40 microseconds each."""
LOOK_EVERY: Final = 5
"""Readings between searches of all threads for children; those of the first thread are seen at each reading."""
UNKNOWN_SECONDS: Final = 30.0
"""How long a new process may turn out to be a worker; after that it counts as `other`. A worker is known a moment after
it was started, and what it read before that is to be its own."""


class Census:
    """The training process and those below it.

    Args:
        workers: Returns worker ids by pid, of all workers known so far, those that have ended included.
        proc: Where procfs is.
        unknown_seconds: How long a new process may turn out to be a worker.

    Attributes:
        living: Processes by pid, the training process first.
        ended: Those that were there at the reading before the last one, and no longer are.
    """

    def __init__(self, workers: Callable[[], Mapping[int, int]], proc: str, unknown_seconds: float) -> None:
        self.living: dict[int, Tracked] = {}
        self.ended: list[Tracked] = []
        self._workers = workers
        self._proc = proc
        self._unknown_seconds = unknown_seconds
        self._pid = 0
        self._takes = 0
        self._done_with: dict[int, int] = {}

    def begin(self) -> bool:
        """Forget everything and take the first reading; False where not even this process can be read."""
        self._pid = os.getpid()
        self._takes = 0
        self.living, self.ended = {}, []
        now = monotonic()
        for pid in (self._pid, *family.descendants_of(self._pid, frozenset(), self._proc)):
            self._track(pid, now, born=False)
        main = self.living.get(self._pid)
        if main is None:
            return False
        main.key = Key(ProcessRole.MAIN)
        self._name(now)
        return True

    def take(self, now: float) -> None:
        """Read all processes, the training process first, and find new ones.

        Args:
            now: Monotonic seconds.
        """
        self.ended = []
        for pid, each in list(self.living.items()):
            counts = counts_of(pid, self._proc)
            if counts is not None and counts.started == each.counts.started:
                each.advance(counts)
            else:
                # Another process may have its pid by now: that one is found below.
                del self.living[pid]
                self.ended.append(each)
        for pid in self._new():
            self._track(pid, now, born=True)
        self._name(now)
        self._takes += 1

    def _new(self) -> list[int]:
        found = dict.fromkeys(family.children_of(self._pid, self._proc) or ())
        # The latest: of a long run without persistent workers, thousands have ended.
        for pid, worker in list(self._workers().items())[-MAX_PROCESSES:]:
            if pid in self.living or pid in found or self._done_with.get(pid) == worker:
                continue
            if family.is_below(pid, self._pid, self._proc):
                found[pid] = None
            else:
                self._done_with[pid] = worker
        if self._takes % LOOK_EVERY == 0:
            ranks = frozenset(pid for pid, each in self.living.items() if each.other_rank)
            found.update(dict.fromkeys(family.descendants_of(self._pid, ranks, self._proc)))
        return [pid for pid in found if pid not in self.living]

    def _track(self, pid: int, now: float, born: bool) -> None:
        if len(self.living) < MAX_PROCESSES and (counts := counts_of(pid, self._proc)) is not None:
            each = self.living[pid] = Tracked(pid, counts, now, born)
            each.other_rank = pid != self._pid and family.is_other_rank(pid, self._proc)

    def _name(self, now: float) -> None:
        workers = self._workers()
        # Those that have ended first: their pids may be others' by now.
        for each in self.ended:
            each.key = each.key or self._as_worker(each.pid, workers) or Key(ProcessRole.OTHER)
            if each.pid in workers:
                self._done_with[each.pid] = workers[each.pid]
        for each in self.living.values():
            if each.other_rank or (each.key is not None and each.key.role is not ProcessRole.OTHER):
                continue
            each.key = self._as_worker(each.pid, workers) or each.key
            if each.key is None and now - each.since >= self._unknown_seconds:
                # Asked once more: what was just forked has the environment of its parent until it runs its program.
                each.other_rank = family.is_other_rank(each.pid, self._proc)
                each.key = Key(ProcessRole.OTHER)

    def _as_worker(self, pid: int, workers: Mapping[int, int]) -> Key | None:
        worker = workers.get(pid)
        # One that has ended stays known by its pid, which another process may have by now.
        if worker is None or self._done_with.get(pid) == worker:
            return None
        return Key(ProcessRole.WORKER, worker if 0 <= worker < MAX_WORKERS else None)
