"""Which kept batches can be opened, and what they tell of workers."""

from __future__ import annotations

from typing import Final

import numpy as np

from ocr_otel import semconv
from ocr_otel.report import described
from ocr_otel.report.clocks import Clocks
from ocr_otel.report.data import BatchRow, Points, WorkerRow
from ocr_otel.report.records import OfBatches
from ocr_otel.report.waterfall import left_out, waterfall
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.semconv import Kept, Phase, Stage

MAX_WATERFALLS: Final = 400
"""Kept batches that can be opened; each costs about a kilobyte of the page."""
MAX_SPECIAL: Final = 300
"""Of these, failed, slow, profiled and first ones at most: a slow batch says little without regular ones beside it."""
MAX_DOTS: Final = 4000
MAX_RANK_BARS: Final = 6_000
"""Bars of ranks in all waterfalls together; each costs about 150 bytes of the page."""
MIN_WATERFALLS: Final = 60

_WEIGHT: Final = {Kept.ERROR: 3, Kept.SLOW: 2, Kept.PROFILED: 1}
_WAIT: Final = semconv.phase_seconds(Phase.COMMUNICATION)


def chosen(batches: list[Batch], began: int, clocks: Clocks, records: OfBatches) -> list[BatchRow]:
    """Return the batches that can be opened: failed, slow, profiled and first ones, and an even choice of the others.

    The ranks' batches of one step are one trace, and so one waterfall. The rank that waited least for the others gives
    it its name, for they waited for that one; where none waited, the slowest.
    """
    traces: dict[str, list[Batch]] = {}
    for batch in batches:
        traces.setdefault(batch.span.trace_id, []).append(batch)
    named = [max(members, key=_told) for members in traces.values()]
    regular = [batch for batch in named if batch.span.text(semconv.KEPT) == Kept.REGULAR]
    special = [batch for batch in named if batch.span.text(semconv.KEPT) != Kept.REGULAR]
    most = MAX_WATERFALLS
    if (ranks := max(map(len, traces.values()), default=1)) > 1:
        most = min(most, max(MIN_WATERFALLS, MAX_RANK_BARS // ranks))
    room = max(min(MAX_SPECIAL, 3 * most // 4), most - len(regular))
    if len(special) > room:
        special = sorted(special, key=lambda batch: (-_weight(batch), -batch.span.seconds))[:room]
    picked = special + _evenly(regular, most - len(special))
    picked.sort(key=lambda batch: batch.span.start)
    return [_row(batch, traces[batch.span.trace_id], began, clocks, records) for batch in picked]


def dots(batches: list[Batch], began: int) -> Points:
    """Return start and duration of the kept training batches, evenly thinned."""
    training = [batch for batch in batches if batch.span.name == semconv.TRAIN_BATCH]
    return [((batch.span.start - began) / 1e9, batch.span.seconds) for batch in _evenly(training, MAX_DOTS)]


def _told(batch: Batch) -> tuple[int, float, float]:
    return _weight(batch), -batch.span.number(_WAIT), batch.span.seconds


def _weight(batch: Batch) -> int:
    return next((weight for kept, weight in _WEIGHT.items() if batch.span.text(semconv.KEPT) == kept), 0)


def _evenly(batches: list[Batch], number: int) -> list[Batch]:
    if len(batches) <= number:
        return batches
    return [batches[index] for index in np.linspace(0, len(batches) - 1, number, dtype=int)] if number > 0 else []


def _row(batch: Batch, members: list[Batch], began: int, clocks: Clocks, records: OfBatches) -> BatchRow:
    span = batch.span
    epoch = int(span.number(semconv.EPOCH))
    return BatchRow(
        stage=span.text(semconv.STAGE),
        kept=span.text(semconv.KEPT),
        epoch=epoch,
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
        waterfall=waterfall(batch, members, clocks),
        differences=described.facts(span.attributes, semconv.SLOW_PREFIX),
        records=records.of(members),
        remarks=" ".join(filter(None, (left_out(members), clocks.caption((each.rank for each in members), epoch)))),
    )


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


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else 0.0


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else 0.0
