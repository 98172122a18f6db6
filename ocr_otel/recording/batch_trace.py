"""The trace of one kept batch: its root, its phases, and what the dataloader's worker did to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode, TraceFlags

from ocr_otel import semconv
from ocr_otel.recording import journal, sampling
from ocr_otel.recording.exceptions import exception_event
from ocr_otel.recording.ids import PresetIds
from ocr_otel.semconv import Kept, Phase, Stage
from ocr_otel.telemetry import ChildSpan, RunIdentity, Session

_SPAN_NAME: Final = {
    journal.FETCH: semconv.FETCH,
    journal.TRANSFER: semconv.TRANSFER,
    journal.FORWARD: semconv.FORWARD,
    journal.BACKWARD: semconv.BACKWARD,
    journal.COMMUNICATION: semconv.COMMUNICATION,
    journal.OPTIMIZER: semconv.OPTIMIZER_STEP,
}


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
        dataset_cpu: CPU nanoseconds of the thread between `start` and `collate`; -1 where unknown.
    """

    worker_id: int
    pid: int
    start: int
    collate: int
    end: int
    samples: int
    cache_hits: int | None
    cache_misses: int | None
    dataset_cpu: int


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
        device: Seconds on the device by phase, where they were measured and are known.
        workers: What the dataloader did for it.
        different: Attributes that say what was different in its time; empty where that is not asked.
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
    device: Mapping[Phase, float]
    workers: Sequence[WorkerTiming]
    different: Mapping[str, Any]
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
    session: Session, ids: PresetIds | None, batch: KeptBatch, trace_id: int, span_id: int, parent: Link, offset: int
) -> SpanContext:
    """Make the spans of a kept batch: all, or of a rank whose turn it is not the root alone; see `sampling.detailed`.

    Args:
        session: Makes them.
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
        ids.preset(trace_id, span_id)
    root = session.tracer.start_span(
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
    here = root.get_span_context()
    if _detailed(session.identity, batch.kept, trace_id):
        for timing in batch.workers:
            _worker(session.child_span, here, timing, offset)
        _phases(session.child_span, here, batch, offset)
    root.end(batch.end + offset)
    return here


def _detailed(identity: RunIdentity, kept: Kept, trace_id: int) -> bool:
    # One that failed, or that a window of the profiler shows, is of few ranks, and looked at for what happened in it.
    return kept in (Kept.ERROR, Kept.PROFILED) or sampling.detailed(trace_id, identity.rank, identity.world_size)


def root(session: Session, batch: KeptBatch, trace_id: int, span_id: int, parent: Link, offset: int) -> ReadableSpan:
    """Return the root span of a kept batch alone, with nothing of it handed to any exporter; see `emit`."""
    return ReadableSpan(
        semconv.BATCH_SPAN_BY_STAGE[batch.stage],
        SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)),
        # Without one, the SDK's type looks for all that the process is, in threads that it starts for that.
        resource=Resource.get_empty(),
        attributes=_attributes(batch),
        links=(parent,),
        start_time=batch.start + offset,
        end_time=batch.end + offset,
    )


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
    for phase, seconds in batch.device.items():
        attributes[_DEVICE_ATTRIBUTE[phase]] = seconds
    attributes.update(batch.different)
    return attributes


_PHASE_ATTRIBUTE: Final = {phase: semconv.phase_seconds(phase) for phase in Phase}
_DEVICE_ATTRIBUTE: Final = {phase: semconv.device_seconds(phase) for phase in Phase}


def _phases(child: ChildSpan, root: SpanContext, batch: KeptBatch, offset: int) -> None:
    # Intervals are in the order of their ends. What ran inside the optimiser's closure is a sibling of the optimiser
    # and not its child: the optimiser's span begins where the last of them ended.
    around: list[tuple[tuple[int, int, int], SpanContext]] = []
    for part in _CONTAINERS:
        for interval in batch.intervals:
            if interval[0] == part:
                parent = _innermost(around, interval[1], interval[2]) or root
                _, start, end = interval
                around.append((interval, child(_SPAN_NAME[part], parent, start + offset, end + offset)))
    latest_end = 0
    for part, begun, end in batch.intervals:
        start = max(begun, latest_end) if part == journal.OPTIMIZER else begun
        latest_end = end
        if part not in _CONTAINERS:
            child(_SPAN_NAME[part], _innermost(around, start, end) or root, start + offset, end + offset)


_CONTAINERS: Final = (journal.FORWARD, journal.BACKWARD)
"""Parts inside which others may lie, the outer first: with manual optimization the step itself calls backward."""


def _innermost(around: Sequence[tuple[tuple[int, int, int], SpanContext]], start: int, end: int) -> SpanContext | None:
    """Return the last span made that holds a time; None where none does."""
    return next((context for (_, begun, ended), context in reversed(around) if begun <= start and end <= ended), None)


def _worker(child: ChildSpan, root: SpanContext, timing: WorkerTiming, offset: int) -> None:
    attributes: dict[str, Any] = {
        semconv.WORKER_ID: timing.worker_id,
        semconv.WORKER_PID: timing.pid,
        semconv.WORKER_SAMPLES: timing.samples,
    }
    if timing.dataset_cpu >= 0:
        attributes[semconv.DATASET_CPU_SECONDS] = timing.dataset_cpu / 1e9
    if timing.cache_hits is not None:
        attributes[semconv.CACHE_HITS] = timing.cache_hits
    if timing.cache_misses is not None:
        attributes[semconv.CACHE_MISSES] = timing.cache_misses
    start, collate, end = timing.start + offset, timing.collate + offset, timing.end + offset
    worker = child(semconv.WORKER, root, start, end, attributes)
    child(semconv.WORKER_DATASET, worker, start, collate)
    child(semconv.WORKER_COLLATE, worker, collate, end)
