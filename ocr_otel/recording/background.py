"""A thread that does, a little at a time, what the training need not wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from ocr_otel.telemetry.failures import MAX_FAILURES, Failed, say_part_off

INTERVAL_SECONDS: Final = 0.25
"""Kept batches become spans within this time; so long, too, are the chunks of the sliding window of throughput. With
the time that an exporter may leave them in its queue it is half a second in which a kill loses them: a machine with so
much other work that threads wait as long again for their turn still loses none from more than a second before."""


class Background:
    """Does some things now and then while an entry runs; one that fails several times in a row is off.

    Args:
        works: What is done, by the name of the part of the recording that it is.
        failed: Takes a failure with the name of the part.

    Attributes:
        cpu_ns: CPU time that it took so far, nanoseconds.
    """

    def __init__(self, works: Mapping[str, Callable[[], None]], failed: Failed) -> None:
        self.cpu_ns: int = 0
        self._works = works
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

    def stop(self, seconds: float) -> None:
        """End, and wait for what is being done, at most so long: exporters of the application may hold it up."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(seconds)
            self._thread = None

    def _run(self, stopping: threading.Event) -> None:
        before = self.cpu_ns
        failures = dict.fromkeys(self._works, 0)
        while failures and not stopping.wait(INTERVAL_SECONDS):
            for part in list(failures):
                try:
                    self._works[part]()
                    failures[part] = 0
                except Exception as error:
                    self._failed(part, error)
                    failures[part] += 1
                    if failures[part] >= MAX_FAILURES:
                        say_part_off(part, error)
                        del failures[part]
            self.cpu_ns = before + time.thread_time_ns()
