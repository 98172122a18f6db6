"""The bars of a kept batch: its spans, and beside them the ranks that did the same step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis.words import count
from ocr_otel.report.clocks import Clocks
from ocr_otel.report.data import Bar
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.semconv import Phase

MAX_BARS: Final = 150
"""Spans in a waterfall: the application may have made thousands."""
MAX_DEPTH: Final = 12
MAX_RANKS: Final = 64
"""Other ranks that have a bar; of more, those that waited least for the others."""
MAX_RANKS_IN_FULL: Final = 1
"""Other ranks whose spans are there as well; of more, their phases say who waited for whom."""

_PHASE_OF: Final = {semconv.OPTIMIZER_STEP: str(Phase.OPTIMIZER)}
_WAIT: Final = semconv.phase_seconds(Phase.COMMUNICATION)


def waterfall(batch: Batch, members: list[Batch], clocks: Clocks) -> list[Bar]:
    """Return the bars: the other ranks of its step, then its own spans.

    Args:
        batch: The batch that gives the waterfall its name.
        members: The batches of all ranks at its step, itself among them.
        clocks: The clocks of their hosts; what is known of them is taken out of the starts of the others.
    """
    epoch = int(batch.span.number(semconv.EPOCH))
    others = sorted((each for each in members if each.rank != batch.rank), key=lambda each: each.span.number(_WAIT))
    others = sorted(others[:MAX_RANKS], key=lambda each: each.rank)
    zero = batch.span.start - _ahead(batch, epoch, clocks)
    found: list[Bar] = []
    if not batch.span.children:
        # Of many ranks few have more than their root in a trace.
        others = sorted([*others, batch], key=lambda each: each.rank)
    for other in others:
        span, origin = other.span, zero + _ahead(other, epoch, clocks)
        start = (span.start - origin) / 1e9
        found.append(Bar(f"rank {other.rank}", "rank", start, span.seconds, 0, span.failed, _parts(span, origin)))
        if len(others) <= MAX_RANKS_IN_FULL:
            found += [bar for child in span.children for bar in _bars(child, origin, 1)][: MAX_BARS // 2]
    own = [bar for child in batch.span.children for bar in _bars(child, batch.span.start, 0)]
    return found + own[:MAX_BARS]


def left_out(members: list[Batch]) -> str:
    """Return what is to be said of ranks of a step that have no bar; empty where all have."""
    more = len(members) - 1 - MAX_RANKS
    return f"Without a bar, for they waited longest for the others: {count(more, 'rank')}." if more > 0 else ""


def _ahead(batch: Batch, epoch: int, clocks: Clocks) -> int:
    """Return by how many nanoseconds the clock of a rank is ahead of rank 0's; 0 where that is not known."""
    reading = clocks.ahead(batch.rank, epoch)
    return round(reading.offset * 1e9) if reading is not None else 0


def _parts(span: SpanRecord, origin: int) -> list[tuple[str, float, float]]:
    """Return the phases of a batch in the order in which they are drawn: the wait lies over the backward pass."""
    if not span.children:
        return _parts_in_usual_order(span, origin)
    phases = [child for child in span.children if _kind(child) in set(Phase)]
    waits = [each for child in phases for each in child.children if each.name == semconv.COMMUNICATION]
    return [(_kind(each), (each.start - origin) / 1e9, each.seconds) for each in (*phases, *waits)]


def _parts_in_usual_order(span: SpanRecord, origin: int) -> list[tuple[str, float, float]]:
    """Return the phases of a batch of which only the root is known: how long each took, one after the other."""
    found, start = [], (span.start - origin) / 1e9
    for phase in Phase:
        seconds = span.number(semconv.phase_seconds(phase))
        if seconds:
            found.append((str(phase), start, seconds))
            start += seconds
    return found


def _kind(span: SpanRecord) -> str:
    return _PHASE_OF.get(span.name, span.name)


def _bars(span: SpanRecord, origin: int, depth: int) -> Iterator[Bar]:
    name = span.name
    if name == semconv.WORKER:
        worker = int(span.number(semconv.WORKER_ID, -1))
        name = f"worker {worker}" if worker >= 0 else "dataloader"
    yield Bar(name, _kind(span), (span.start - origin) / 1e9, span.seconds, depth, span.failed)
    if depth < MAX_DEPTH:
        for child in span.children[:MAX_BARS]:
            yield from _bars(child, origin, depth + 1)
