"""When windows of the profiler open by themselves: pure decisions, without a clock and without a profiler."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from ocr_otel.recording.sampling import FIRST_BATCHES, NEVER
from ocr_otel.semconv import ProfileMode, Stage
from ocr_otel.settings import Settings

ANOMALY_RATIO: Final = 3.0
"""A batch of so many times the running median opens a window. Twice is slow and kept as a trace; noise of a shared
machine reaches twice now and then, and three times only where something happened."""
THROUGHPUT_RATIO: Final = 1.5
"""So much slower than before must the median of the last batches be: half as fast again is no drift of temperature."""
RECENT: Final = 16
"""Batches of which the recent throughput is the median."""
REFERENCE: Final = 64
"""Batches before them with which it is compared."""
ANOMALY_PAUSE_NS: Final = 60_000_000_000
"""From one window that an anomaly opened to the next: a training that is always irregular is not profiled always."""


class Anomalies:
    """Finds a batch, or a run of batches, that took far longer than those before. Times are nanoseconds."""

    def __init__(self) -> None:
        self._durations: deque[int] = deque(maxlen=REFERENCE + RECENT)
        self._opened_at: int | None = None

    def batch(self, batch_idx: int, duration: int, median: int, now: int) -> bool:
        """Say whether a batch that has just ended is to be followed by a window.

        Args:
            batch_idx: Its index; the first ones of an epoch are slow for reasons of their own.
            duration: How long it took.
            median: The running median; 0 without one.
            now: Monotonic time.
        """
        if not median or batch_idx < FIRST_BATCHES or duration <= ANOMALY_RATIO * median:
            return False
        return self._open(now)

    def further(self, durations: Iterable[int], now: int) -> bool:
        """Take the durations of batches that are over, in order; say whether the last ones call for a window."""
        found = False
        for duration in durations:
            self._durations.append(duration)
            if len(self._durations) == self._durations.maxlen and not found:
                known = list(self._durations)
                found = _median(known[REFERENCE:]) > THROUGHPUT_RATIO * _median(known[:REFERENCE])
        return found and self._open(now)

    def _open(self, now: int) -> bool:
        if self._opened_at is not None and now < self._opened_at + ANOMALY_PAUSE_NS:
            return False
        self._opened_at = now
        # What is slower from now on is what is compared with.
        self._durations.clear()
        return True


class Schedule:
    """The windows of one Trainer entry that nobody asked for.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: Settings) -> None:
        self._every = settings.profile_every
        self._modes = frozenset(settings.profile)
        self._limit = settings.profile_windows
        self._opened: dict[ProfileMode, int] = {}
        self._anomalies = Anomalies() if ProfileMode.ANOMALY in self._modes else None

    def opened(self, mode: ProfileMode) -> None:
        """Count a window."""
        self._opened[mode] = self._opened.get(mode, 0) + 1

    def at_beginning(self, stage: Stage) -> ProfileMode | None:
        """Return why a window is to open before the first batch of a loop, or None: the first of its kind has one."""
        mode = {Stage.TRAIN: ProfileMode.START, Stage.VALIDATE: ProfileMode.VALIDATION}.get(stage)
        return mode if mode in self._modes and mode not in self._opened else None

    def after(self, stage: Stage, steps: int) -> ProfileMode | None:
        """Return why a window is to open now, or None.

        Args:
            stage: Lightning's running stage.
            steps: Training batches done since the entry began.
        """
        due = stage is Stage.TRAIN and self._periodic() and steps % self._every == 0
        return ProfileMode.PERIODIC if due else None

    def next_due(self, stage: Stage, steps: int) -> int:
        """Return how many batches from now `after` opens a window; `NEVER` where it does not."""
        return self._every - steps % self._every if stage is Stage.TRAIN and self._periodic() else NEVER

    def _periodic(self) -> bool:
        return self._every > 0 and self._left(ProfileMode.PERIODIC)

    def anomaly(self) -> Anomalies | None:
        """Return what finds anomalies while one may open a window."""
        return self._anomalies if self._left(ProfileMode.ANOMALY) else None

    def _left(self, mode: ProfileMode) -> bool:
        return self._opened.get(mode, 0) < self._limit


def _median(values: list[int]) -> int:
    return sorted(values)[len(values) // 2]
