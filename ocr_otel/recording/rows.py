"""Rows made of the journal: one a batch, with its samples, start, duration and the time of each of its parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel.recording import journal
from ocr_otel.recording.decoding import DecodedRow, decode
from ocr_otel.recording.journal import EXIT, FIRST_CONTEXT, NO_PART, ROW, ROW_FETCH, Journal, Timing, samples_of

SAMPLES: Final = 0
START: Final = 1
DURATION: Final = 2
PARTS: Final = 3
"""First of the columns by part, in the order of `journal`."""
WIDTH: Final = PARTS + journal.PARTS

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Detail:
    """A batch that was asked for by the time of its end.

    Attributes:
        number: Which of the rows it is.
        row: Its events.
        end: When it ended, monotonic nanoseconds.
        samples: Its samples.
        workers: What the dataloader did for it; empty where that is not known.
    """

    number: int
    row: DecodedRow
    end: int
    samples: int
    workers: list[Timing]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken out of the journal.

    Attributes:
        batches: Rows of batches, shape (n, WIDTH), times in nanoseconds.
        workers: What the dataloader did for each of the first batches; shorter where that is not known.
        agree: Whether all counted batches hold the samples that their dataloader was asked for; None without any.
        between: Nanoseconds of callbacks between batches.
        own: Nanoseconds by context code, each context's own time alone, inside and between batches.
        end: When the last of the rows ended.
        details: The batches that were asked for.
    """

    batches: Integers
    workers: list[list[Timing]]
    agree: bool | None
    between: int
    own: Integers
    end: int
    details: list[Detail]


def take(source: Journal, ends: Sequence[int] = ()) -> Taken | None:
    """Take all rows that are complete; None where there are none.

    Its writer may be at work meanwhile.

    Args:
        source: The journal.
        ends: Times at which batches ended that are to be told in detail.
    """
    with source.lock:
        codes = np.frombuffer(source.codes[:], dtype=np.uint16).astype(np.int64)
        begins = np.flatnonzero(codes <= ROW)
        if len(begins) < 2:
            return None
        end = int(begins[-1])
        times = np.frombuffer(source.times[: end + 1], dtype=np.int64)
        codes, begins = codes[:end], begins[:-1]
        marks = np.where((codes > ROW) & (codes < FIRST_CONTEXT), codes, 0)
        row = np.cumsum(codes <= ROW) - 1
        kind = np.zeros(len(begins), dtype=np.int64)
        np.maximum.at(kind, row, marks)
        is_batch = kind > 0
        workers = source.cut(end, int(np.count_nonzero(is_batch)))

    active = _active(codes, begins, row)
    spent = np.diff(times)
    parts = np.asarray(source.parts, dtype=np.int64)[active]
    number = len(begins)
    by_part = np.bincount(row * (NO_PART + 1) + parts, weights=spent, minlength=number * (NO_PART + 1))
    by_part = by_part.reshape(number, NO_PART + 1)[:, :NO_PART].astype(np.int64)
    own = np.bincount(active, weights=spent, minlength=len(source.parts)).astype(np.int64)

    starts = times[begins]
    batches = np.zeros((int(is_batch.sum()), WIDTH), dtype=np.int64)
    batches[:, START] = starts[is_batch]
    batches[:, DURATION] = np.diff(starts, append=times[end])[is_batch]
    batches[:, PARTS:] = by_part[is_batch]
    agree = _count(batches, kind[is_batch] == journal.COUNTED, source, workers)
    between = int(by_part[~is_batch, journal.CALLBACKS].sum())
    details = _details(source, codes, times, begins, is_batch, ends, batches, workers) if ends else []
    return Taken(batches, workers, agree, between, own, int(times[end]), details)


def _details(
    source: Journal,
    codes: Integers,
    times: Integers,
    begins: Integers,
    is_batch: npt.NDArray[np.bool_],
    ends: Sequence[int],
    batches: Integers,
    workers: list[list[Timing]],
) -> list[Detail]:
    stops = np.append(begins[1:], len(codes))
    row_ends = times[stops]
    ordinal = np.cumsum(is_batch) - 1
    found = []
    for end in ends:
        at = int(np.searchsorted(row_ends, end))
        if at == len(row_ends) or row_ends[at] != end or not is_batch[at]:
            continue
        first, stop, number = int(begins[at]), int(stops[at]), int(ordinal[at])
        row = decode(source, codes[first:stop].tolist(), times[first:stop].tolist(), end)
        by = workers[number] if number < len(workers) else []
        found.append(Detail(number, row, end, int(batches[number, SAMPLES]), by))
    return found


def _active(codes: Integers, begins: Integers, row: Integers) -> Integers:
    """Return the code of the innermost context that is open after each event; `ROW` where none is."""
    positions = np.arange(len(codes))
    enters = (codes >= FIRST_CONTEXT) & (codes < EXIT)
    step = enters.astype(np.int64) - (codes >= EXIT)
    opened = codes == ROW_FETCH
    depth = np.cumsum(step)
    depth += (opened[begins].astype(np.int64) - depth[begins])[row]
    # A context that was open when its row began ends in it without having begun in it. Rows are made to fall far below
    # one another, so that one running minimum serves all of them.
    far = row * (2 * len(codes) + 2)
    depth -= np.minimum(np.minimum.accumulate(depth - far) + far, 0)
    active = np.full(len(codes), ROW, dtype=np.int64)
    for level in range(1, int(depth.max(initial=0)) + 1):
        here = depth == level
        latest = np.maximum.accumulate(np.where(here & (enters | opened), positions, 0))
        active[here] = codes[latest[here]]
    return active


def _count(
    batches: Integers, counted: npt.NDArray[np.bool_], source: Journal, workers: list[list[Timing]]
) -> bool | None:
    """Fill in the samples, and say whether counted ones are those that the dataloaders were asked for."""
    asked = np.zeros(len(batches), dtype=np.int64)
    known = len(workers)
    asked[:known] = [samples_of(group) for group in workers]
    number = int(counted.sum())
    found = np.array(source.samples[:number], dtype=np.int64)
    del source.samples[:number]
    found = np.where(found == journal.UNKNOWN_SAMPLES, np.maximum(asked[counted], 1), found)
    batches[:, SAMPLES] = asked
    batches[counted, SAMPLES] = found
    if not number:
        return None
    return bool(counted[:known].sum() == number and np.array_equal(asked[counted], found))
