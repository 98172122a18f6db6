"""One row of the journal, read event by event: for batches that become traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ocr_otel.recording.journal import EXIT, FIRST_CONTEXT, NO_PART, PARTS, ROW_FETCH, Journal

MAX_INTERVALS: Final = 48
"""Intervals kept of one batch; a batch with more (many manual optimiser steps) keeps its times, not all its spans."""


@dataclass(frozen=True, slots=True)
class DecodedRow:
    """A row.

    Attributes:
        start: When it began, monotonic nanoseconds.
        mark: `BATCH` or `COUNTED` where it is a batch, 0 where it is none.
        parts: Nanoseconds by part, each context's own time alone.
        intervals: Part, start and end, in the order of their ends, of contexts that have no name.
    """

    start: int
    mark: int
    parts: list[int]
    intervals: list[tuple[int, int, int]]


def decode(source: Journal, codes: Sequence[int], times: Sequence[int], end: int) -> DecodedRow:
    """Read a row.

    Args:
        source: The journal that it is from, which knows the contexts.
        codes: Its codes, the first of them the one that begins it.
        times: Their times.
        end: When it ended.
    """
    own = [0] * (PARTS + 1)
    intervals: list[tuple[int, int, int]] = []

    def close(code: int, start: int, end: int) -> None:
        if not source.names[code] and len(intervals) < MAX_INTERVALS:
            intervals.append((source.parts[code], start, end))

    open_: list[tuple[int, int]] = [(ROW_FETCH, times[0])] if codes[0] == ROW_FETCH else []
    before = times[0]
    mark = 0
    for code, time in zip(codes[1:], times[1:], strict=True):
        own[source.parts[open_[-1][0]] if open_ else NO_PART] += time - before
        before = time
        if code < FIRST_CONTEXT:
            mark = code
        elif not code & EXIT:
            open_.append((code, time))
        elif open_:
            close(*open_.pop(), time)
    own[source.parts[open_[-1][0]] if open_ else NO_PART] += end - before
    while open_:
        close(*open_.pop(), end)
    return DecodedRow(times[0], mark, own[:PARTS], intervals)
