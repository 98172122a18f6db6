"""Opens and closes the one window that may be open, and tells those who wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from opentelemetry.trace import SpanContext

from ocr_otel import semconv
from ocr_otel.profiling.requests import Progress, State
from ocr_otel.profiling.windows.asked import Ask
from ocr_otel.profiling.windows.files import TraceFiles
from ocr_otel.profiling.windows.results import ClosedWindow, Results
from ocr_otel.profiling.windows.torch_profiler import TorchWindow, end_ranges, other_profiler_runs
from ocr_otel.profiling.windows.window import OpenWindow
from ocr_otel.recording import Recorder
from ocr_otel.recording.loop import Loop
from ocr_otel.redaction import safe_message
from ocr_otel.semconv import ProfileMode
from ocr_otel.settings import Settings
from ocr_otel.telemetry.failures import logger

MAX_FAILURES: Final = 3
"""After so many windows that failed no more are opened in the entry."""
OTHER_PROFILER: Final = "another profiler of PyTorch is active in this training; ours stands back"
OFF_AFTER_FAILURES: Final = "the profiler failed several times in this training and is off for the rest of it"


class Surface(Protocol):
    """What the windows need of the training."""

    def ranges(self, on: bool) -> None:
        """Let the parts of batches show in the trace, or no longer."""

    def profiled_by_user(self) -> bool:
        """Return whether the Trainer's own profiler is one of torch's."""


class Shutter:
    """The window that is open, if one is; to be used by the training thread.

    Args:
        recorder: Records the entry.
        settings: The settings.
        surface: The training.
        files: Where traces go.
        results: Takes the windows that are over.
        failed: Takes a failure with its cause.

    Attributes:
        window: The window that is open.
    """

    def __init__(
        self,
        recorder: Recorder,
        settings: Settings,
        surface: Surface,
        files: TraceFiles,
        results: Results,
        failed: Callable[[str, Exception], None],
    ) -> None:
        self.window: OpenWindow | None = None
        self._loop: Loop | None = None
        self._asks: list[Ask] = []
        self._recorder = recorder
        self._settings = settings
        self._surface = surface
        self._files = files
        self._results = results
        self._failed = failed
        self._failures = 0
        self._said = False

    def join(self, ask: Ask) -> bool:
        """Let somebody wait for the window that is open; return whether there is one."""
        if self.window is None:
            return False
        self._asks.append(ask)
        self._tell_open(self.window)
        return True

    def open(self, mode: ProfileMode, loop: Loop, next_idx: int, warmup: int, asks: Sequence[Ask] = ()) -> None:
        """Open a window before a batch, or say why none opens.

        Args:
            mode: Why it opens.
            loop: The loop.
            next_idx: The batch's index.
            warmup: Batches in which it only warms up.
            asks: Who asked for it.
        """
        reason = self._refusal()
        if reason:
            self._refuse(reason, asks, mode)
            return
        self._asks = list(asks)
        asked = [ask.request.batches for ask in asks if ask.request.batches is not None]
        batches = max(asked, default=self._settings.profile_batches)
        self._loop = loop
        self.window = window = OpenWindow(
            mode,
            self._files.new_name(mode),
            TorchWindow(warmup, batches, self._settings.profile_details, self._give_way),
            warmup,
            batches,
            self._recorder.begin_profile(mode, loop),
        )
        window.start(loop.epoch, next_idx)
        self._surface.ranges(True)
        self._tell_open(window)

    def batch_ended(self, loop: Loop, batch_idx: int, duration: int, context: SpanContext) -> None:
        """A batch is over; the window closes when it has all of its."""
        window = self.window
        if window is None:
            return
        window.batch_ended(loop.epoch, batch_idx, duration, context)
        self._tell_open(window)
        if window.full:
            self._close(window)

    def loop_ends(self) -> list[Ask]:
        """The loop is interrupted or over: close the window with what it has.

        Returns:
            Who waited for a window that recorded nothing.
        """
        window = self.window
        if window is None:
            return []
        if window.recorded:
            self._close(window)
            return []
        asks, self._asks = self._asks, []
        self.abandon("the loop ended before a batch was recorded")
        return asks

    def fail(self, error: Exception) -> None:
        """Something of ours failed: end the window, and open no more when that is so again and again."""
        self._failures += 1
        self._failed("profiling", error)
        self.abandon(f"{type(error).__name__}: {error}")

    def abandon(self, why: str) -> None:
        """End the open window without a trace."""
        window, self.window = self.window, None
        asks, self._asks = self._asks, []
        if window is not None:
            actions: tuple[Callable[[], None], ...] = (partial(self._surface.ranges, False), window.stop)
            for action in actions:
                try:
                    action()
                except Exception as error:
                    self._failed("profiling", error)
            self._recorder.profiler_ns += window.stalled
            window.span.set_attribute(semconv.PROFILE_FAILED, safe_message(why))
            window.span.end()
        for ask in asks:
            ask.tell(Progress(State.FAILED, message=why))

    def _close(self, window: OpenWindow) -> None:
        self._surface.ranges(False)
        window.stop()
        asks, self._asks = self._asks, []
        self.window = None
        self._recorder.profiler_ns += window.stalled
        loop = self._loop
        assert loop is not None
        self._describe(window, loop)
        for ask in asks:
            ask.tell(Progress(State.ANALYSING, window.recorded, window.batches))
        self._results.take(ClosedWindow(window, loop.stage, time.time_ns(), asks, self._recorder.known))

    def _describe(self, window: OpenWindow, loop: Loop) -> None:
        span = window.span
        span.set_attributes({semconv.PROFILE_BATCHES: window.recorded, semconv.PROFILE_OVERHEAD: window.stalled / 1e9})
        if window.first_idx is not None:
            span.set_attribute(semconv.PROFILE_FIRST_BATCH, window.first_idx)
        if loop.detector.median and window.durations:
            mean = sum(window.durations) / len(window.durations)
            span.set_attribute(semconv.PROFILE_SLOWDOWN, mean / loop.detector.median)
        for context in window.links:
            span.add_link(context)

    def _give_way(self) -> None:
        """The application is about to start a profiler of its own."""
        try:
            end_ranges()
        except Exception as error:
            self._failed("profiling", error)
        self.abandon(OTHER_PROFILER)

    def _refusal(self) -> str:
        if self._failures >= MAX_FAILURES:
            return OFF_AFTER_FAILURES
        return OTHER_PROFILER if self._surface.profiled_by_user() or other_profiler_runs() else ""

    def _refuse(self, reason: str, asks: Sequence[Ask], mode: ProfileMode) -> None:
        if not self._said:
            self._said = True
            logger.warning("ocr_otel: no window of the profiler opens (%s): %s.", mode, reason)
        for ask in asks:
            ask.tell(Progress(State.REFUSED, message=reason))

    def _tell_open(self, window: OpenWindow) -> None:
        for ask in self._asks:
            ask.tell(Progress(State.OPEN, window.recorded, window.batches))
