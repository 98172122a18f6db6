"""A thread that reads sources at a steady rate and holds the interpreter for no longer than the reading takes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from time import monotonic, perf_counter_ns, sleep
from typing import Final

from ocr_otel.resources.readings import Source, Unavailable
from ocr_otel.resources.timeline import Timeline
from ocr_otel.telemetry.failures import MAX_FAILURES, Failed, say_part_off

logger: Final = logging.getLogger("ocr_otel")

HANGS_AFTER_NS: Final = 5_000_000_000
"""A reading that takes longer is said to hang; its series end until it comes back."""
GRACE_SECONDS: Final = 0.25
"""What a reading that seems to hang has to come back: after a machine that stood still all threads wake at once."""
STOP_SECONDS: Final = 1.0
"""How long the end of a run waits for the last reading."""


class Hangs(TimeoutError):
    """A reading has not come back."""


class Sampler:
    """Reads some sources in turn, once an interval, into a time line; one that fails several times in a row is off.

    Args:
        name: Name of the thread.
        sources: What is read.
        interval: Seconds between readings.
        timeline: Where to.
        failed: Takes what fails, with the source's name.

    Attributes:
        cpu_ns: CPU time that the thread took so far, nanoseconds.
    """

    def __init__(
        self, name: str, sources: Sequence[Source], interval: float, timeline: Timeline, failed: Failed
    ) -> None:
        self.cpu_ns: int = 0
        self._name = name
        self._sources = sources
        self._interval = interval
        self._timeline = timeline
        self._failed = failed
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._reading: tuple[str, int] | None = None
        self._said_hanging = False

    def start(self) -> None:
        """Begin to read, in a daemon thread; where the last one still hangs in a reading, nothing is begun."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._stopping = threading.Event()
        self._reading = None
        self._thread = threading.Thread(
            target=self._run, args=(self._stopping,), name=f"ocr_otel-{self._name}", daemon=True
        )
        self._thread.start()

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Read a last time and end; a reading that takes longer than so many seconds is left to itself."""
        self._stopping.set()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)
            self.watch()

    def watch(self) -> None:
        """Report a reading that hangs, once; to be called from another thread now and then."""
        reading = self._reading
        if reading is None or self._said_hanging:
            return
        name, since = reading
        seconds = (perf_counter_ns() - since) / 1e9
        if seconds * 1e9 <= HANGS_AFTER_NS:
            return
        sleep(GRACE_SECONDS)
        if self._reading is reading:
            self._said_hanging = True
            self._failed(name, Hangs(f"a reading has not come back for {seconds:.0f} s"))

    def _run(self, stopping: threading.Event) -> None:
        try:
            self._read(stopping)
        except Exception as error:
            self._failed(self._name, error)

    def _read(self, stopping: threading.Event) -> None:
        opened: dict[Source, int] = {}
        for source in self._sources:
            if self._open(source):
                opened[source] = 0
        due = monotonic()
        while opened:
            self._tick(opened)
            self.cpu_ns = time.thread_time_ns()
            if stopping.is_set():
                break
            # A reading that was late is not made up for.
            due = max(due + self._interval, monotonic())
            if stopping.wait(due - monotonic()):
                continue
        for source in opened:
            self._close(source)

    def _tick(self, opened: dict[Source, int]) -> None:
        for source, failures in list(opened.items()):
            self._reading = (source.name, perf_counter_ns())
            try:
                for series, value in source.read():
                    self._timeline.add(perf_counter_ns(), series, value)
                opened[source] = 0
            except Exception as error:
                self._failed(source.name, error)
                opened[source] = failures + 1
                if opened[source] >= MAX_FAILURES:
                    say_part_off(source.name, error)
                    del opened[source]
                    self._close(source)
            finally:
                self._reading = None

    def _open(self, source: Source) -> bool:
        self._reading = (source.name, perf_counter_ns())
        try:
            source.open()
        except Unavailable as error:
            logger.debug("ocr_otel reads no %s: %s", source.name, error)
            self._close(source)
            return False
        except Exception as error:
            self._failed(source.name, error)
            self._close(source)
            return False
        finally:
            self._reading = None
        return True

    def _close(self, source: Source) -> None:
        try:
            source.close()
        except Exception as error:
            self._failed(source.name, error)
