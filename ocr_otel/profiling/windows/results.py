"""What becomes of a window that is over: its trace is written and read, its span ends, and who asked is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from opentelemetry.trace import Span

from ocr_otel import semconv
from ocr_otel.profiling import serial
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.requests import Progress, State
from ocr_otel.profiling.span_events import events_of
from ocr_otel.profiling.windows.asked import Ask
from ocr_otel.profiling.windows.files import TraceFiles
from ocr_otel.profiling.windows.reading import UnreadableTrace, read
from ocr_otel.profiling.windows.window import OpenWindow
from ocr_otel.recording import Judgement
from ocr_otel.redaction import safe_message
from ocr_otel.semconv import Stage

JudgeWindow = Callable[[WindowProfile, Mapping[str, Any]], Judgement]
"""Judges what a window shows, given what else is known as attributes; handed in, for diagnosis is not known here."""


@dataclass(frozen=True, slots=True)
class ClosedWindow:
    """A window that is over.

    Attributes:
        window: The window.
        stage: The stage that it was open in.
        end: When it ended, Unix nanoseconds.
        asks: Who waits for it.
        known: What else is known, as attributes.
    """

    window: OpenWindow
    stage: Stage
    end: int
    asks: Sequence[Ask]
    known: Mapping[str, Any]


class Results:
    """Reads windows one after another, each in a thread of its own, and keeps what the last one showed.

    Args:
        files: Where traces are written.
        judge: Judges a window.
        failed: Takes a failure with its cause.
    """

    def __init__(self, files: TraceFiles, judge: JudgeWindow, failed: Callable[[str, Exception], None]) -> None:
        self._files = files
        self._judge = judge
        self._failed = failed
        self._one_at_a_time = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._joining = threading.Lock()
        self._reading: list[list[Ask]] = []
        self._unended: dict[Span, int] = {}
        self._last: dict[Stage, WindowProfile] = {}

    def last(self, stage: Stage) -> WindowProfile | None:
        """Return what the last window of a stage showed."""
        return self._last.get(stage)

    def join(self, ask: Ask) -> bool:
        """Let somebody have what is being read; return whether there is such a window."""
        with self._joining:
            if not self._reading:
                return False
            self._reading[-1].append(ask)
            return True

    def take(self, closed: ClosedWindow) -> None:
        """Write and read a window that is over, beside the training."""
        asks = list(closed.asks)
        with self._joining:
            self._reading.append(asks)
            self._unended[closed.window.span] = closed.end
        thread = threading.Thread(target=self._run, args=(closed, asks), name="ocr_otel-window-read", daemon=True)
        self._threads = [each for each in self._threads if each.is_alive()] + [thread]
        thread.start()

    def wait(self, seconds: float) -> None:
        """Wait until all are read, within a bound; the spans of those that are not end without it."""
        deadline = monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))
        for span in list(self._unended):
            span.set_attribute(semconv.PROFILE_FAILED, f"not read within {seconds:.0f} s of the training's end")
            self._end(span)

    def _end(self, span: Span) -> None:
        with self._joining:
            end = self._unended.pop(span, None)
        if end is not None:
            span.end(end)

    def _run(self, closed: ClosedWindow, asks: list[Ask]) -> None:
        try:
            with self._one_at_a_time:
                answer = self._finish(closed)
        except Exception as error:
            self._failed("profile_result", error)
            answer = Progress(State.FAILED, message=f"{type(error).__name__}: {error}")
        with self._joining:
            self._reading.remove(asks)
        for ask in asks:
            ask.tell(answer)

    def _finish(self, closed: ClosedWindow) -> Progress:
        window, span = closed.window, closed.window.span
        trace: Path | None = None
        problem = ""
        judgement = Judgement()
        scratch: Path | None = None
        try:
            scratch = self._files.scratch(window.name)
            window.save(scratch)
            trace = self._files.compress(scratch, window.name)
            span.set_attributes({semconv.PROFILE_FILE: trace.name, semconv.PROFILE_FILE_SIZE: trace.stat().st_size})
            text = read(scratch)
            profile = serial.loads(text)
            self._files.write_profile(window.name, text)
            self._last[closed.stage] = profile
            judgement = self._judge(profile, closed.known)
            for name, attributes in events_of(profile):
                span.add_event(name, attributes, closed.end)
            judgement.tell(span, closed.end)
            span.set_attributes(judgement.attributes)
            self._files.make_room()
        except (OSError, UnreadableTrace, RuntimeError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}" if not isinstance(error, UnreadableTrace) else str(error)
            span.set_attribute(semconv.PROFILE_FAILED, safe_message(problem))
            self._failed("profile", error)
        finally:
            if scratch is not None:
                scratch.unlink(missing_ok=True)
            self._end(span)
        return Progress(
            State.FAILED if problem else State.DONE,
            batches=window.recorded,
            of=window.batches,
            message=problem,
            trace=str(trace or ""),
            verdict=dict(judgement.attributes) or None,
        )
