"""The trace of one kept batch: its root, its phases, and what the dataloader's worker did to make it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, TraceFlags, Tracer

from ocr_otel import semconv
from ocr_otel.recording import clock
from ocr_otel.recording.exceptions import exception_event
from ocr_otel.recording.ids import PresetIds
from ocr_otel.semconv import Kept, Phase, Stage

_SPAN_NAME: Final = {
    clock.FETCH: semconv.FETCH,
    clock.TRANSFER: semconv.TRANSFER,
    clock.FORWARD: semconv.FORWARD,
    clock.BACKWARD: semconv.BACKWARD,
    clock.OPTIMIZER: semconv.OPTIMIZER_STEP,
}


Timing = tuple[int, int, int, int, int, int, int | None, int | None]
"""The fields of a `WorkerTiming`, as they come home with each batch; most batches never need the names."""


class WorkerTiming(NamedTuple):
    """What a dataloader did to make one batch; monotonic nanoseconds, which all processes of a host share.

    Attributes:
        worker_id: The worker, -1 for the training process itself.
        pid: Its process.
        start: When it began.
        collate: When `collate_fn` began.
        end: When the batch was ready.
        samples: Samples asked of the dataset; 0 where unknown.
        cache_hits: Cache hits meanwhile; None where the dataset does not count.
        cache_misses: Cache misses meanwhile; None where the dataset does not count.
    """

    worker_id: int
    pid: int
    start: int
    collate: int
    end: int
    samples: int
    cache_hits: int | None
    cache_misses: int | None


SAMPLES: Final = WorkerTiming._fields.index("samples")


@dataclass(frozen=True, slots=True)
class KeptBatch:
    """A finished batch that becomes a trace; times are monotonic nanoseconds.

    Attributes:
        stage: Lightning's running stage.
        kept: Why it is kept.
        epoch: Epoch.
        batch_idx: Index in the epoch.
        dataloader_idx: Which dataloader; None where there is one.
        global_step: Optimiser steps so far.
        samples: Samples in it.
        start: When the loop asked for it.
        end: When the loop asked for the next.
        ratio: Duration over the running median; None without one.
        phases: Nanoseconds by phase.
        intervals: Triples of code, start and end, in the order in which they ended.
        workers: What the dataloader did for it.
        error: The exception that ended it.
    """

    stage: Stage
    kept: Kept
    epoch: int
    batch_idx: int
    dataloader_idx: int | None
    global_step: int
    samples: int
    start: int
    end: int
    ratio: float | None
    phases: dict[Phase, int]
    intervals: Sequence[tuple[int, int, int]]
    workers: Sequence[WorkerTiming]
    error: BaseException | None = None


def root_context(trace_id: int, span_id: int, sampled: bool) -> Context:
    """Return a context in which spans become children of a batch's root, or, not sampled, are dropped."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return trace.set_span_in_context(
        trace.NonRecordingSpan(SpanContext(trace_id, span_id, is_remote=False, trace_flags=flags))
    )


def span_context(span: Span) -> Context:
    """Return a context in which spans become children of `span`."""
    return trace.set_span_in_context(span)


def mark_failed(span: Span) -> None:
    """Give a span the status of what an exception ended."""
    span.set_status(Status(StatusCode.ERROR))


def emit(
    tracer: Tracer, ids: PresetIds | None, batch: KeptBatch, trace_id: int, span_id: int, parent: Link, offset: int
) -> SpanContext:
    """Make the spans of a kept batch.

    Args:
        tracer: Makes them.
        ids: Where the root's ids are set; None where they cannot be.
        batch: The batch.
        trace_id: Id of its trace.
        span_id: Id of its root span.
        parent: Link to the span of its epoch.
        offset: Unix time minus monotonic time, nanoseconds.

    Returns:
        The root's context, for links and exemplars.
    """
    if ids is not None:
        ids.trace_id, ids.span_id = trace_id, span_id
    root = tracer.start_span(
        semconv.BATCH_SPAN_BY_STAGE[batch.stage],
        context=Context(),
        start_time=batch.start + offset,
        attributes=_attributes(batch),
        links=(parent,),
    )
    if not root.is_recording():
        return root.get_span_context()
    if batch.error is not None:
        exception_event(root, batch.error, batch.end + offset)
        root.set_status(Status(StatusCode.ERROR, type(batch.error).__name__))
    here = trace.set_span_in_context(root)
    for timing in batch.workers:
        _worker(tracer, here, timing, offset)
    _phases(tracer, here, batch, offset)
    root.end(batch.end + offset)
    return root.get_span_context()


def _attributes(batch: KeptBatch) -> dict[str, Any]:
    attributes: dict[str, Any] = {
        semconv.STAGE: batch.stage,
        semconv.KEPT: batch.kept,
        semconv.EPOCH: batch.epoch,
        semconv.BATCH_IDX: batch.batch_idx,
        semconv.GLOBAL_STEP: batch.global_step,
        semconv.SAMPLES: batch.samples,
    }
    if batch.dataloader_idx is not None:
        attributes[semconv.DATALOADER_IDX] = batch.dataloader_idx
    if batch.ratio is not None:
        attributes[semconv.SLOW_RATIO] = round(batch.ratio, 3)
    for phase, nanoseconds in batch.phases.items():
        if nanoseconds:
            attributes[_PHASE_ATTRIBUTE[phase]] = nanoseconds / 1e9
    return attributes


_PHASE_ATTRIBUTE: Final = {phase: semconv.phase_seconds(phase) for phase in Phase}


def _phases(tracer: Tracer, root: Context, batch: KeptBatch, offset: int) -> None:
    # Intervals are in the order of their ends. What ran inside the optimiser's closure is a sibling of the optimiser
    # and not its child: the optimiser's span begins where the last of them ended.
    latest_end = 0
    forward: tuple[int, int] | None = next(
        ((start, end) for code, start, end in batch.intervals if code == clock.FORWARD), None
    )
    forward_span = None
    if forward is not None:
        forward_span = tracer.start_span(semconv.FORWARD, context=root, start_time=forward[0] + offset)
    inside_forward = trace.set_span_in_context(forward_span) if forward_span is not None else root
    for code, begun, end in batch.intervals:
        start = max(begun, latest_end) if code == clock.OPTIMIZER else begun
        latest_end = end
        if code == clock.FORWARD:
            if forward is not None and (begun, end) != forward:
                tracer.start_span(semconv.FORWARD, context=root, start_time=start + offset).end(end + offset)
            continue
        nested = forward is not None and forward[0] <= start and end <= forward[1]
        span = tracer.start_span(
            _SPAN_NAME[code], context=inside_forward if nested else root, start_time=start + offset
        )
        span.end(end + offset)
    if forward_span is not None and forward is not None:
        forward_span.end(forward[1] + offset)


def _worker(tracer: Tracer, root: Context, timing: WorkerTiming, offset: int) -> None:
    attributes: dict[str, Any] = {
        semconv.WORKER_ID: timing.worker_id,
        semconv.WORKER_PID: timing.pid,
        semconv.WORKER_SAMPLES: timing.samples,
    }
    if timing.cache_hits is not None:
        attributes[semconv.CACHE_HITS] = timing.cache_hits
    if timing.cache_misses is not None:
        attributes[semconv.CACHE_MISSES] = timing.cache_misses
    span = tracer.start_span(semconv.WORKER, context=root, start_time=timing.start + offset, attributes=attributes)
    here = trace.set_span_in_context(span)
    tracer.start_span(semconv.WORKER_DATASET, context=here, start_time=timing.start + offset).end(
        timing.collate + offset
    )
    tracer.start_span(semconv.WORKER_COLLATE, context=here, start_time=timing.collate + offset).end(timing.end + offset)
    span.end(timing.end + offset)
