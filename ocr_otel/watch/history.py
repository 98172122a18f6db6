"""Durations of all kept training batches of a run, in bounded memory: what is let go keeps the extremes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from tsdownsample import MinMaxLTTBDownsampler

from ocr_otel import semconv
from ocr_otel.report.data import Points
from ocr_otel.runs import Batch

HELD: Final = 20_000
"""Batches that are held; from there on half of them are let go."""
DRAWN: Final = 2_000
"""Batches that a page draws."""


class Durations:
    """Start and duration of training batches of rank 0, in order of time; both in seconds, starts since the epoch."""

    def __init__(self) -> None:
        self._starts = np.empty(0)
        self._seconds = np.empty(0)
        self._newest = -1

    def take(self, batches: Iterable[Batch]) -> None:
        """Take the batches that are newer than all before."""
        found = [
            (batch.span.start, batch.span.seconds)
            for batch in batches
            if batch.rank == 0 and batch.span.name == semconv.TRAIN_BATCH and batch.span.start > self._newest
        ]
        if not found:
            return
        found.sort()
        self._newest = found[-1][0]
        self._starts = np.concatenate([self._starts, np.array([start for start, _ in found]) / 1e9])
        self._seconds = np.concatenate([self._seconds, np.array([seconds for _, seconds in found])])
        if len(self._starts) > HELD:
            kept = downsampled(self._starts, self._seconds, HELD // 2)
            self._starts, self._seconds = self._starts[kept], self._seconds[kept]

    def drawn(self, began: float) -> Points:
        """Return what is drawn: starts in seconds since `began`, which is Unix seconds."""
        kept = downsampled(self._starts, self._seconds, DRAWN)
        return [(float(self._starts[at] - began), float(self._seconds[at])) for at in kept]


def downsampled(times: Any, values: Any, number: int) -> Any:
    """Return the indices of at most so many points by MinMaxLTTB (Van Der Donckt et al., 2023); all of few."""
    if len(times) <= number:
        return np.arange(len(times))
    sampler = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]
    found = sampler.downsample(np.asarray(times, float), np.asarray(values, float), n_out=number)
    return np.asarray(found, dtype=int)
