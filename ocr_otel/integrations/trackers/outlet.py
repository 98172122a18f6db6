"""One logger, called so that what fails in it or hangs there never breaks or stops a training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ocr_otel.integrations.trackers.loggers import Tracker
from ocr_otel.telemetry.deliverer import Deliverer
from ocr_otel.training.guard import Parts

CALL_SECONDS: Final = 2.0
"""That a training waits for a logger: ten times what a tracker's server takes that is well."""


class LoggerHangs(Exception):
    """A logger has not returned in time."""


class Outlet:
    """Calls a logger in a thread of its own while the training waits, for loggers are used by one thread at a time.

    One that does not return in time is left alone for the rest of the entry; the training goes on.

    Args:
        tracker: What is done to the logger.
        parts: Counts what fails: after some failures the logger is left alone too.
    """

    def __init__(self, tracker: Tracker, parts: Parts) -> None:
        self.tracker = tracker
        self._parts = parts
        self._part = f"tracker.{tracker.kind}"
        self._hangs = False
        self._thread = Deliverer()

    def call(self, action: Callable[[Tracker], None], seconds: float = CALL_SECONDS) -> None:
        """Let a logger do something."""
        if not self._hangs:
            self._parts.attempt(self._part, lambda: self._wait(action, seconds))

    def _wait(self, action: Callable[[Tracker], None], seconds: float) -> None:
        failures: list[BaseException] = []

        def act() -> None:
            try:
                action(self.tracker)
            except BaseException as error:
                # A library that ends its process does not end this thread silently.
                failures.append(error)

        if not self._thread.hand_over(act).wait(seconds):
            self._hangs = True
            raise LoggerHangs(f"{self.tracker.name} did not return within {seconds:g} s and is told no more")
        for failure in failures:
            if isinstance(failure, Exception):
                raise failure
            raise RuntimeError(f"{self.tracker.name} raised {type(failure).__name__}") from failure
