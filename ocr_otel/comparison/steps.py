"""The step times of a run that a comparison rests on: an unbiased sample of its training batches, in their order.

A run directory holds the duration of kept batches only. They are kept for several reasons, and not all of them may be
compared: a batch that is kept because it was slow, beside those that are kept by their index, would make each run look
slower than it was, and the run with more slow batches more so. What is unbiased is what was kept by its index alone:
every N-th batch of an epoch, whatever it took, whether it was slow or not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel import semconv
from ocr_otel.runs import Batch, Entry, Run
from ocr_otel.semconv import Kept, Phase

Floats = npt.NDArray[np.float64]

WARMUP: Final = 20
"""Batches left out at the beginning of a run: memory is allocated, kernels are chosen and compiled, caches filled."""
FIRST: Final = 3
"""Batches left out at the beginning of each epoch, where dataloader workers start."""
_LATEST: Final = 8
"""Regular batches at an epoch's end whose distances tell N: of an epoch of unknown length N grows while it goes on."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The step times of a run, of its first rank.

    Attributes:
        seconds: Batch times in the order of the training, shape (n,).
        phases: Seconds of each phase of the same batches, shape (n,).
        every: One in how many batches is among them; the largest where epochs differ.
        batches: Training batches that the run did, as far as it tells.
        warmup: Kept batches that are left out for being the first of the run or of an epoch.
        chosen: Kept batches that are left out because they were kept for something else than their index.
        mean: Mean batch time of all batches but the first three of each epoch and profiled ones, from the epochs'
            summaries; None where no epoch has ended.
    """

    seconds: Floats
    phases: dict[Phase, Floats]
    every: int
    batches: int
    warmup: int
    chosen: int
    mean: float | None

    def __len__(self) -> int:
        return len(self.seconds)


def steps(run: Run, entry: Entry | None, warmup: int = WARMUP) -> Steps:
    """Return the step times of an entry.

    Args:
        run: Its run.
        entry: The `fit`; None for a run without an entry that can be read.
        warmup: Batches to leave out at its beginning.
    """
    by_epoch: dict[int, list[Batch]] = defaultdict(list)
    for batch in _of_entry(run, entry):
        by_epoch[int(batch.span.number(semconv.EPOCH))].append(batch)
    lengths = {int(epoch.span.number(semconv.EPOCH)): epoch for epoch in (entry.epochs if entry else [])}
    sample: list[Batch] = []
    left_warmup = left_chosen = before = 0
    every = 1
    for epoch, batches in sorted(by_epoch.items()):
        batches.sort(key=_index)
        ended = lengths.get(epoch)
        count = int(ended.span.number(semconv.BATCHES)) if ended is not None else _index(batches[-1]) + 1
        stride = _stride(batches, count)
        every = max(every, stride)
        for batch in batches:
            if _index(batch) < FIRST or before + _index(batch) < warmup:
                left_warmup += 1
            elif _kept(batch) in (Kept.PROFILED, Kept.ERROR) or not stride or _index(batch) % stride:
                left_chosen += 1
            else:
                sample.append(batch)
        before += count
    return Steps(
        seconds=np.array([batch.span.seconds for batch in sample], dtype=np.float64),
        phases=_phases(sample),
        every=every,
        batches=before,
        warmup=left_warmup,
        chosen=left_chosen,
        mean=_mean_of_all(entry, by_epoch),
    )


def _of_entry(run: Run, entry: Entry | None) -> Iterable[Batch]:
    first = min((rank.rank for rank in run.by_rank), default=0)
    begin = entry.start if entry is not None else 0
    later = [each.start for each in run.entries if each.start > begin]
    end = entry.root.end if entry is not None and entry.root is not None else min(later, default=1 << 64)
    return (
        batch
        for batch in run.batches
        if batch.rank == first and batch.span.name == semconv.TRAIN_BATCH and begin <= batch.span.start <= end
    )


def _stride(batches: list[Batch], count: int) -> int:
    """Return N of an epoch in which every N-th batch was kept, whatever it took; 0 where none was.

    A regular batch that turns out slow is kept as a slow one, so that a distance between regular ones may be a multiple
    of N, but the least of several is N itself. Where the epoch's length was unknown N is a power of two that grows: by
    the latest one every earlier part is an even sample too.
    """
    if len({_index(batch) for batch in batches}) >= count:
        return 1
    regular = [_index(batch) for batch in batches if _kept(batch) == Kept.REGULAR]
    return min((after - before for before, after in pairwise(regular[-_LATEST:]) if after > before), default=0)


def _mean_of_all(entry: Entry | None, kept: dict[int, list[Batch]]) -> float | None:
    # The first batches of an epoch and the profiled ones are all kept: what they took can be taken out of its sum.
    batches, seconds = 0, 0.0
    for epoch in entry.epochs if entry is not None else []:
        number, count = int(epoch.span.number(semconv.EPOCH)), int(epoch.span.number(semconv.BATCHES))
        out = [
            batch
            for batch in kept.get(number, [])
            if _index(batch) < FIRST or _kept(batch) in (Kept.PROFILED, Kept.ERROR)
        ]
        batches += max(0, count - len(out))
        seconds += epoch.span.number(semconv.BATCH_MEAN) * count - sum(batch.span.seconds for batch in out)
    return seconds / batches if batches and seconds > 0 else None


def _phases(sample: list[Batch]) -> dict[Phase, Floats]:
    rows = [batch.span.phases() for batch in sample]
    found = {phase: np.array([row[phase] for row in rows], dtype=np.float64) for phase in Phase}
    return {phase: seconds for phase, seconds in found.items() if seconds.any()}


def _kept(batch: Batch) -> str:
    return batch.span.text(semconv.KEPT)


def _index(batch: Batch) -> int:
    return int(batch.span.number(semconv.BATCH_IDX))
