"""A thread that does, a little at a time, what the training need not wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

INTERVAL_SECONDS: Final = 1.0
"""Kept batches become spans within this time; so long, too, are the chunks of the sliding window of throughput."""
STOP_SECONDS: Final = 5.0
"""The end of an entry waits for it no longer than this; exporters of the application may hold it up."""


class Background:
    """Calls a function once a second while an entry runs.

    Args:
        work: What is done.
        failed: Takes a failure with its cause; the next second is tried again.

    Attributes:
        cpu_ns: CPU time that it took so far, nanoseconds.
    """

    def __init__(self, work: Callable[[], None], failed: Callable[[str, Exception], None]) -> None:
        self.cpu_ns = 0
        self._work = work
        self._failed = failed
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, in a daemon thread."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._stopping,), name="ocr_otel-recording", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for what is being done, within a bound."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            self._thread = None

    def _run(self, stopping: threading.Event) -> None:
        before = self.cpu_ns
        while not stopping.wait(INTERVAL_SECONDS):
            try:
                self._work()
            except Exception as error:
                self._failed("background", error)
            self.cpu_ns = before + time.thread_time_ns()
