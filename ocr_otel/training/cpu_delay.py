"""How long the training's threads ran, and could run and had no CPU, as the kernel's scheduler counts it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final, NamedTuple

BUSY: Final = 0.2
"""Threads with less than this part of the busiest thread's CPU time are not what the training waits for."""


class Scheduled(NamedTuple):
    """What the scheduler counted in some time, in seconds; 0 where the kernel does not count it.

    Attributes:
        ran: How long the training's thread was on a CPU.
        delay: How long the most delayed of the busy threads could run and had no CPU: a step of the training ends when
            the last of its threads is done.
    """

    ran: float
    delay: float


class CpuDelay:
    """Reads `schedstat` of each thread of this process.

    Args:
        tasks: Where the threads are in procfs.
        thread: Id of the training's thread; the calling one by default.
    """

    def __init__(self, tasks: Path = Path("/proc/self/task"), thread: int | None = None) -> None:
        self._tasks = tasks
        self._thread = str(thread or threading.get_native_id())
        self._before: dict[str, tuple[int, int]] = {}

    def take(self) -> Scheduled:
        """Return what was counted since the last call."""
        before, self._before = self._before, self._read()
        grown = {
            thread: (spent - before[thread][0], waited - before[thread][1])
            for thread, (spent, waited) in self._before.items()
            if thread in before
        }
        busiest = max((spent for spent, _ in grown.values()), default=0)
        delay = max((waited for spent, waited in grown.values() if spent >= BUSY * busiest), default=0)
        return Scheduled(grown.get(self._thread, (0, 0))[0] / 1e9, delay / 1e9)

    def _read(self) -> dict[str, tuple[int, int]]:
        """Return nanoseconds on a CPU and nanoseconds of waiting for one, by thread."""
        found = {}
        try:
            threads = os.listdir(self._tasks)
        except OSError:
            return {}
        for thread in threads:
            try:
                spent, waited, *_ = (self._tasks / thread / "schedstat").read_bytes().split()
                found[thread] = int(spent), int(waited)
            except (OSError, ValueError):
                # The thread has ended, or the kernel was built without.
                continue
        return found
