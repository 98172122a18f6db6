"""From a run to what a report shows: pure functions of the run's tables."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ocr_otel import semconv
from ocr_otel.diagnosis import TimeBudget, Verdict, diagnose
from ocr_otel.diagnosis.budget import total
from ocr_otel.runs import Batch, Entry, Epoch, Run, SpanRecord

MAX_WATERFALLS: Final = 400
"""Kept batches that can be opened; all slow, failed and first ones, and an even choice of the others."""


@dataclass(frozen=True, slots=True)
class EpochRow:
    """An epoch as the report shows it; times in seconds, `start` from the beginning of the run."""

    epoch: int
    start: float
    budget: TimeBudget
    samples: int
    throughput: float
    data_wait: float
    p50: float
    p95: float
    p99: float
    longest: float
    slow_batches: int
    memory: float
    logged: dict[str, float]
    verdict: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A dataloader worker; times in seconds."""

    worker: int
    pid: int
    batches: int
    dataset_mean: float
    dataset_p95: float
    collate_mean: float
    cache_hit_rate: float | None


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A kept batch; times in seconds, `start` from the beginning of the run."""

    stage: str
    kept: str
    epoch: int
    batch_idx: int
    start: float
    seconds: float
    samples: int
    phases: dict[str, float]
    trace_id: str
    waterfall: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Lane:
    """A bar of the time line; seconds from the beginning of the run."""

    name: str
    label: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that the report shows."""

    run_id: str
    entry: str
    outcome: str
    exception: str
    wall: float
    verdict: Verdict | None
    budget: TimeBudget
    batches: int
    samples: int
    goodput: float | None
    time_to_first_batch: float | None
    mfu: float | None
    epochs: list[EpochRow]
    lanes: list[Lane]
    kept: list[BatchRow]
    kept_in_all: int
    workers: list[WorkerRow]
    configuration: dict[str, str]
    environment: dict[str, str]
    other_entries: list[tuple[str, str, float]]
    overhead: dict[str, float]
    dropped: int
    errors: int
    damaged: list[str]


def build(run: Run) -> ReportData:
    """Return what a report of the run shows: its longest `fit`, or its longest entry where there is none."""
    began = min((entry.start for entry in run.entries), default=0)
    ended = _ended(run, began)
    entry = _chosen(run, ended)
    root = entry.root if entry else None
    wall = root.seconds if root else max(0.0, (ended - (entry.start if entry else began)) / 1e9)
    epochs = [_epoch_row(epoch, began) for epoch in (entry.epochs if entry else [])]
    budget = total([epoch.budget for epoch in epochs], wall)
    first_rank = [batch for batch in run.batches if batch.rank == 0]
    return ReportData(
        run_id=run.run_id,
        entry=entry.name if entry else "",
        outcome=root.text(semconv.OUTCOME) if root else "running or killed",
        exception=root.exception if root else "",
        wall=wall,
        verdict=diagnose(budget),
        budget=budget,
        batches=int(root.number(semconv.BATCHES)) if root else budget.batches,
        samples=int(root.number(semconv.SAMPLES)) if root else sum(epoch.samples for epoch in epochs),
        goodput=_optional(root, semconv.GOODPUT),
        time_to_first_batch=_optional(root, semconv.TIME_TO_FIRST_BATCH),
        mfu=_optional(root, semconv.MFU),
        epochs=epochs,
        lanes=_lanes(run, began, ended),
        kept=[_batch_row(batch.span, began) for batch in _chosen_batches(first_rank)],
        kept_in_all=len(first_rank),
        workers=_workers(first_rank),
        configuration=_configuration(entry),
        environment=_table(run.resource, ""),
        other_entries=[
            (each.name, each.root.text(semconv.OUTCOME), each.root.seconds)
            for each in run.entries
            if each is not entry and each.root is not None
        ],
        overhead=_last(run, semconv.METRIC_OVERHEAD, semconv.PART),
        dropped=int(sum(_last(run, semconv.METRIC_SPANS_DROPPED, semconv.CAUSE).values())),
        errors=int(sum(_last(run, semconv.METRIC_ERRORS, semconv.CAUSE).values())),
        damaged=run.damaged,
    )


def _chosen(run: Run, ended: int) -> Entry | None:
    def length(entry: Entry) -> float:
        return entry.root.seconds if entry.root else (ended - entry.start) / 1e9

    fits = [entry for entry in run.entries if entry.name == semconv.FIT]
    return max(fits or run.entries, key=length, default=None)


def _ended(run: Run, began: int) -> int:
    ends = [entry.root.end for entry in run.entries if entry.root]
    ends += [epoch.span.end for entry in run.entries for epoch in entry.epochs]
    ends += [batch.span.end for batch in run.batches]
    ends += [point.time for point in run.points[-1:]]
    return max(ends, default=began)


def _epoch_row(epoch: Epoch, began: int) -> EpochRow:
    span = epoch.span
    inside = [*epoch.checkpoints, *(child for each in epoch.validations for child in each.children)]
    checkpoint = sum(each.seconds for each in inside if each.name == semconv.CHECKPOINT_SAVE)
    budget = TimeBudget(
        wall=span.seconds,
        phases=span.phases(),
        validation=sum(each.seconds for each in epoch.validations),
        checkpoint=checkpoint,
        batches=int(span.number(semconv.BATCHES)),
        slowest_callback=span.text(semconv.SLOWEST_CALLBACK),
        slowest_callback_seconds=span.number(semconv.SLOWEST_CALLBACK_SECONDS),
    )
    return EpochRow(
        epoch=int(span.number(semconv.EPOCH)),
        start=(span.start - began) / 1e9,
        budget=budget,
        samples=int(span.number(semconv.SAMPLES)),
        throughput=span.number(semconv.THROUGHPUT),
        data_wait=span.number(semconv.DATA_WAIT_RATIO),
        p50=span.number(semconv.BATCH_P50),
        p95=span.number(semconv.BATCH_P95),
        p99=span.number(semconv.BATCH_P99),
        longest=span.number(semconv.BATCH_MAX),
        slow_batches=int(span.number(semconv.SLOW_BATCHES)),
        memory=span.number(semconv.MEMORY_RSS),
        logged={name: value for name, value in span.logged().items() if math.isfinite(value)},
        verdict=span.text(semconv.BOTTLENECK_SUMMARY),
    )


def _lanes(run: Run, began: int, ended: int) -> list[Lane]:
    lanes = []
    for entry in run.entries:
        end = entry.root.end if entry.root else ended
        lanes.append(Lane(entry.name, entry.name, (entry.start - began) / 1e9, (end - entry.start) / 1e9))
        for epoch in entry.epochs:
            lanes.append(_lane("epochs", f"epoch {int(epoch.span.number(semconv.EPOCH))}", epoch.span, began))
            lanes += [_lane("validation", "validation", each, began) for each in epoch.validations]
            lanes += [
                _lane("checkpoints", each.text(semconv.CHECKPOINT_FILE), each, began) for each in epoch.checkpoints
            ]
    for span in run.others:
        if span.name == semconv.SANITY_CHECK:
            lanes.append(_lane("validation", "sanity check", span, began))
        elif span.name == semconv.CHECKPOINT_LOAD:
            lanes.append(_lane("checkpoints", "load", span, began))
    return lanes


def _lane(name: str, label: str, span: SpanRecord, began: int) -> Lane:
    return Lane(name, label, (span.start - began) / 1e9, span.seconds)


def _chosen_batches(batches: list[Batch]) -> list[Batch]:
    special = [batch for batch in batches if batch.span.text(semconv.KEPT) != semconv.Kept.REGULAR]
    regular = [batch for batch in batches if batch.span.text(semconv.KEPT) == semconv.Kept.REGULAR]
    special = special[-MAX_WATERFALLS:]
    room = MAX_WATERFALLS - len(special)
    if len(regular) > room:
        regular = [regular[index] for index in np.linspace(0, len(regular) - 1, room, dtype=int)] if room else []
    return sorted(special + regular, key=lambda batch: batch.span.start)


def _batch_row(span: SpanRecord, began: int) -> BatchRow:
    return BatchRow(
        stage=span.text(semconv.STAGE),
        kept=span.text(semconv.KEPT),
        epoch=int(span.number(semconv.EPOCH)),
        batch_idx=int(span.number(semconv.BATCH_IDX)),
        start=(span.start - began) / 1e9,
        seconds=span.seconds,
        samples=int(span.number(semconv.SAMPLES)),
        phases={str(phase): seconds for phase, seconds in span.phases().items() if seconds},
        trace_id=span.trace_id,
        waterfall=[bar for child in span.children for bar in _bars(child, span.start, 0)],
    )


def _bars(span: SpanRecord, origin: int, depth: int) -> list[dict[str, Any]]:
    name = span.name
    if name == semconv.WORKER:
        worker = int(span.number(semconv.WORKER_ID, -1))
        name = f"worker {worker}" if worker >= 0 else "dataloader"
    bar = {"name": name, "start": (span.start - origin) / 1e9, "seconds": span.seconds, "depth": depth}
    return [bar, *(inner for child in span.children for inner in _bars(child, origin, depth + 1))]


def _workers(batches: list[Batch]) -> list[WorkerRow]:
    found: dict[tuple[int, int], list[SpanRecord]] = {}
    for batch in batches:
        for child in batch.span.children:
            if child.name == semconv.WORKER and batch.span.text(semconv.STAGE) == semconv.Stage.TRAIN:
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
        dataset_mean=float(np.mean(dataset)) if dataset else 0.0,
        dataset_p95=float(np.percentile(dataset, 95)) if dataset else 0.0,
        collate_mean=float(np.mean(collate)) if collate else 0.0,
        cache_hit_rate=hits / asked if asked else None,
    )


def _configuration(entry: Entry | None) -> dict[str, str]:
    if entry is None:
        return {}
    of_root = entry.root.attributes if entry.root is not None else {}
    later = {name: value for name, value in of_root.items() if name.startswith(semconv.CONFIG_PREFIX)}
    return _table(entry.configuration | later, semconv.CONFIG_PREFIX)


def _table(attributes: dict[str, Any], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in sorted(attributes.items())
    }


def _last(run: Run, metric: str, label: str) -> dict[str, float]:
    found = {}
    for point in run.points:
        if point.name == metric:
            found[str(point.attributes.get(label, ""))] = point.value
    return found


def _optional(span: SpanRecord | None, name: str) -> float | None:
    return span.number(name) if span is not None and name in span.attributes else None
