"""A run that is looked at: read on while it grows, and made into the state and the page that are shown."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

from ocr_otel.profiling.requests import Progress
from ocr_otel.report import build
from ocr_otel.report.data import ReportData
from ocr_otel.runs import Limits, Run, RunReader
from ocr_otel.watch.asking import Process
from ocr_otel.watch.history import Durations
from ocr_otel.watch.now import Now, now

LIMITS: Final = Limits()
"""Of a run whose page is open."""
BRIEF: Final = Limits(
    whole=300_000, head=60_000, tail=140_000, landmarks=6, picks=4, batches=20, spans=400, exports=8, events=20
)
"""Of a run that is a line in the list."""
_JUDGED_SECONDS: Final = 5.0
"""Between two reports of the same run: one takes tenths of a second of a CPU that the training may need."""
_NOW_SECONDS: Final = 0.8
"""For so long an answer serves all who ask."""


class Followed:
    """A run directory, followed; its methods may be called by any thread, and block.

    Args:
        directory: The run directory.
        limits: What is read and kept of it.

    Raises:
        RunError: It is not a run directory, or one of a newer form.
    """

    def __init__(self, directory: Path, limits: Limits = LIMITS) -> None:
        self.directory = directory
        self.process: Process = Process(directory)
        self.window: Progress | None = None
        self.version: int = 0
        self.sampled: bool = False
        self._lock = threading.Lock()
        self._reader = RunReader(directory, limits)
        self._durations = Durations()
        self._seen: tuple[int, int] = (-1, -1)
        self._data: ReportData | None = None
        self._judged = 0.0
        self._now: Now | None = None
        self._at = 0.0

    def now(self, judged: bool = True) -> Now:
        """Return where the run is.

        Args:
            judged: Whether the verdict counts what has not ended, which takes a report.
        """
        with self._lock:
            if self._now is None or time.monotonic() - self._at > _NOW_SECONDS:
                run, at = self._reader.read(), time.time()
                data = self._report(run) if judged else None
                self._now = now(run, self.process.hear(at), at, data)
                self._at = time.monotonic()
            return self._now

    def report(self) -> ReportData:
        """Return what the page shows; `version` says which it is."""
        with self._lock:
            return self._report(self._reader.read())

    def _report(self, run: Run) -> ReportData:
        seen = (run.spans, run.points[-1].time if run.points else 0)
        due = time.monotonic() - self._judged >= _JUDGED_SECONDS
        if self._data is None or (seen != self._seen and due):
            self._durations.take(run.batches)
            data = build.build(run)
            more = run.sampled or len(data.kept) < len(run.batches)
            self._data = replace(data, dots=self._durations.drawn(data.began)) if more else data
            self._seen, self._judged = seen, time.monotonic()
            self.version += 1
            self.sampled = run.sampled
        return self._data
