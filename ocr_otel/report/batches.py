"""Which kept batches can be opened, their waterfalls, and what they tell of workers and ranks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from ocr_otel import semconv
from ocr_otel.report import described
from ocr_otel.report.data import Bar, BatchRow, Points, RankRow, WorkerRow
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.semconv import Kept, Phase, Stage

MAX_WATERFALLS: Final = 400
"""Kept batches that can be opened; each costs about a kilobyte of the page."""
MAX_SPECIAL: Final = 300
"""Of these, failed, slow, profiled and first ones at most: a slow batch says little without regular ones beside it."""
MAX_DOTS: Final = 4000
MAX_BARS: Final = 150
"""Spans in a waterfall: the application may have made thousands."""
MAX_DEPTH: Final = 12
MAX_RANKS: Final = 16

_WEIGHT: Final = {Kept.ERROR: 3, Kept.SLOW: 2, Kept.PROFILED: 1}
_PHASE_OF: Final = {semconv.OPTIMIZER_STEP: str(Phase.OPTIMIZER)}


def chosen(batches: list[Batch], began: int) -> list[BatchRow]:
    """Return the batches that can be opened: failed, slow, profiled and first ones, and an even choice of the others.

    The ranks' batches of one step are one trace, and so one waterfall; the slowest rank gives it its name.
    """
    traces: dict[str, list[Batch]] = {}
    for batch in batches:
        traces.setdefault(batch.span.trace_id, []).append(batch)
    named = [max(members, key=lambda batch: (_weight(batch), batch.span.seconds)) for members in traces.values()]
    regular = [batch for batch in named if batch.span.text(semconv.KEPT) == Kept.REGULAR]
    special = [batch for batch in named if batch.span.text(semconv.KEPT) != Kept.REGULAR]
    room = max(MAX_SPECIAL, MAX_WATERFALLS - len(regular))
    if len(special) > room:
        special = sorted(special, key=lambda batch: (-_weight(batch), -batch.span.seconds))[:room]
    picked = special + _evenly(regular, MAX_WATERFALLS - len(special))
    picked.sort(key=lambda batch: batch.span.start)
    return [_row(batch, traces[batch.span.trace_id], began) for batch in picked]


def dots(batches: list[Batch], began: int) -> Points:
    """Return start and duration of the kept training batches, evenly thinned."""
    training = [batch for batch in batches if batch.span.name == semconv.TRAIN_BATCH]
    return [((batch.span.start - began) / 1e9, batch.span.seconds) for batch in _evenly(training, MAX_DOTS)]


def _weight(batch: Batch) -> int:
    return next((weight for kept, weight in _WEIGHT.items() if batch.span.text(semconv.KEPT) == kept), 0)


def _evenly(batches: list[Batch], number: int) -> list[Batch]:
    if len(batches) <= number:
        return batches
    return [batches[index] for index in np.linspace(0, len(batches) - 1, number, dtype=int)] if number > 0 else []


def _row(batch: Batch, members: list[Batch], began: int) -> BatchRow:
    span = batch.span
    bars = [bar for child in span.children for bar in _bars(child, span.start, 0)]
    others = sorted((each for each in members if each is not batch), key=lambda each: each.rank)[:MAX_RANKS]
    for other in others:
        start = (other.span.start - span.start) / 1e9
        bars.append(Bar(f"rank {other.rank}", "rank", start, other.span.seconds, 0, other.span.failed))
        bars += [bar for child in other.span.children for bar in _bars(child, span.start, 1)]
    return BatchRow(
        stage=span.text(semconv.STAGE),
        kept=span.text(semconv.KEPT),
        epoch=int(span.number(semconv.EPOCH)),
        batch_idx=int(span.number(semconv.BATCH_IDX)),
        rank=batch.rank,
        start=(span.start - began) / 1e9,
        seconds=span.seconds,
        samples=int(span.number(semconv.SAMPLES)),
        ratio=span.number(semconv.SLOW_RATIO),
        exception=span.exception,
        phases={str(phase): seconds for phase, seconds in span.phases().items() if seconds},
        device={str(phase): seconds for phase, seconds in span.device().items() if seconds},
        trace_id=span.trace_id,
        waterfall=bars[:MAX_BARS],
        differences=described.facts(span.attributes, semconv.SLOW_PREFIX),
    )


def _bars(span: SpanRecord, origin: int, depth: int) -> Iterator[Bar]:
    name, kind = span.name, _PHASE_OF.get(span.name, span.name)
    if name == semconv.WORKER:
        worker = int(span.number(semconv.WORKER_ID, -1))
        name = f"worker {worker}" if worker >= 0 else "dataloader"
    yield Bar(name, kind, (span.start - origin) / 1e9, span.seconds, depth, span.failed)
    if depth < MAX_DEPTH:
        for child in span.children[:MAX_BARS]:
            yield from _bars(child, origin, depth + 1)


def workers(batches: list[Batch]) -> list[WorkerRow]:
    """Return the workers of the training loader, as far as kept batches tell."""
    found: dict[tuple[int, int], list[SpanRecord]] = {}
    for batch in batches:
        if batch.rank or batch.span.text(semconv.STAGE) != Stage.TRAIN:
            continue
        for child in batch.span.children:
            if child.name == semconv.WORKER:
                key = (int(child.number(semconv.WORKER_ID, -1)), int(child.number(semconv.WORKER_PID)))
                found.setdefault(key, []).append(child)
    return [_worker_row(worker, pid, spans) for (worker, pid), spans in sorted(found.items())]


def _worker_row(worker: int, pid: int, spans: list[SpanRecord]) -> WorkerRow:
    dataset = [part.seconds for span in spans for part in span.children if part.name == semconv.WORKER_DATASET]
    collate = [part.seconds for span in spans for part in span.children if part.name == semconv.WORKER_COLLATE]
    hits = sum(span.number(semconv.CACHE_HITS) for span in spans)
    asked = hits + sum(span.number(semconv.CACHE_MISSES) for span in spans)
    return WorkerRow(
        worker=worker,
        pid=pid,
        batches=len(spans),
        dataset_mean=_mean(dataset),
        dataset_p95=_percentile(dataset, 95),
        collate_mean=_mean(collate),
        collate_p95=_percentile(collate, 95),
        cache_hit_rate=hits / asked if asked else None,
    )


def ranks(batches: list[Batch]) -> list[RankRow]:
    """Return the ranks by their kept training batches; the waiting rank has the longer step, the slow one the fetch."""
    found: dict[int, list[SpanRecord]] = {}
    for batch in batches:
        if batch.span.text(semconv.STAGE) == Stage.TRAIN:
            found.setdefault(batch.rank, []).append(batch.span)
    fetch, step = semconv.phase_seconds(Phase.FETCH), (Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER)
    return [
        RankRow(
            rank=rank,
            batches=len(spans),
            p50=_percentile([span.seconds for span in spans], 50),
            p95=_percentile([span.seconds for span in spans], 95),
            fetch_mean=_mean([span.number(fetch) for span in spans]),
            step_mean=_mean([sum(span.number(semconv.phase_seconds(each)) for each in step) for span in spans]),
        )
        for rank, spans in sorted(found.items())
    ]


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else 0.0
