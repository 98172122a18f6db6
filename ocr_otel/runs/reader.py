"""Reads a run directory into a `Run`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.runs.lines import LineReader
from ocr_otel.runs.locate import METRICS, TRACES, check, rank_directories
from ocr_otel.runs.model import Batch, Entry, Epoch, MetricPoint, Run, SpanRecord

_ENTRIES: Final = (semconv.FIT, semconv.VALIDATE, semconv.TEST, semconv.PREDICT)
_BATCHES: Final = frozenset(semconv.BATCH_SPAN_BY_STAGE.values())
_ERROR: Final = (2, "STATUS_CODE_ERROR")


def load(directory: Path) -> Run:
    """Read a run directory; a run that goes on or was killed is read as far as it came.

    Raises:
        RunError: It is not a run directory.
    """
    check(directory)
    parts = rank_directories(directory)
    run = Run(
        run_id=directory.name,
        directory=str(directory),
        resource={},
        ranks=len(parts),
        entries=[],
        batches=[],
        others=[],
        points=[],
        damaged=[],
        spans=0,
    )
    for rank, part in enumerate(parts):
        spans = _read_spans(part, run, rank)
        run.batches += [Batch(span, rank) for span in spans if span.name in _BATCHES and not span.parent_id]
        if rank == 0:
            _arrange(spans, run)
            run.points = _read_points(part, run)
    run.batches.sort(key=lambda batch: batch.span.start)
    return run


def _read_spans(part: Path, run: Run, rank: int) -> list[SpanRecord]:
    reader = LineReader(part / TRACES)
    spans: list[SpanRecord] = []
    for _, request in reader.read(final=True):
        for resource in _list(request, "resourceSpans"):
            if rank == 0 and not run.resource:
                run.resource = _attributes(resource.get("resource", {}))
            for scope in _list(resource, "scopeSpans"):
                spans += [span for raw in _list(scope, "spans") if (span := _span(raw)) is not None]
    run.damaged += [f"{reader.path.name}:{line}" for line in reader.damaged]
    run.spans += len(spans)
    by_id = {span.span_id: span for span in spans}
    for span in spans:
        parent = by_id.get(span.parent_id)
        if parent is not None:
            parent.children.append(span)
    for span in spans:
        span.children.sort(key=lambda child: child.start)
    return spans


def _arrange(spans: list[SpanRecord], run: Run) -> None:
    spans.sort(key=lambda span: span.start)
    starts = [span for span in spans if span.name.removesuffix(semconv.START_SUFFIX) in _ENTRIES]
    roots = {span.span_id: span for span in spans if span.name in _ENTRIES and not span.parent_id}
    for start in starts:
        if start.name.endswith(semconv.START_SUFFIX):
            name = start.name.removesuffix(semconv.START_SUFFIX)
            run.entries.append(Entry(name, start.start, roots.get(start.parent_id), start.attributes))
    for span in spans:
        if span.name == semconv.TRAIN_EPOCH:
            entry = next((each for each in reversed(run.entries) if each.start <= span.start), None)
            if entry is not None:
                validations = [child for child in span.children if child.name == semconv.VALIDATION]
                checkpoints = [child for child in span.children if child.name == semconv.CHECKPOINT_SAVE]
                entry.epochs.append(Epoch(span, validations, checkpoints))
        elif span.name in (semconv.SANITY_CHECK, semconv.CHECKPOINT_SAVE, semconv.CHECKPOINT_LOAD):
            run.others.append(span)


def _read_points(part: Path, run: Run) -> list[MetricPoint]:
    reader = LineReader(part / METRICS)
    points: list[MetricPoint] = []
    for _, request in reader.read(final=True):
        for resource in _list(request, "resourceMetrics"):
            for scope in _list(resource, "scopeMetrics"):
                for metric in _list(scope, "metrics"):
                    points += _points(metric)
    run.damaged += [f"{reader.path.name}:{line}" for line in reader.damaged]
    points.sort(key=lambda point: point.time)
    return points


def _points(metric: dict[str, Any]) -> Iterator[MetricPoint]:
    name = str(metric.get("name", ""))
    for kind in ("gauge", "sum", "histogram"):
        for point in _list(metric.get(kind, {}), "dataPoints"):
            value = point.get("asDouble", point.get("asInt", point.get("sum", 0)))
            yield MetricPoint(
                name, _int(point.get("timeUnixNano")), _attributes(point), _float(value), _int(point.get("count"))
            )


def _span(raw: dict[str, Any]) -> SpanRecord | None:
    try:
        status = raw.get("status") or {}
        return SpanRecord(
            name=str(raw["name"]),
            trace_id=str(raw["traceId"]),
            span_id=str(raw["spanId"]),
            parent_id=str(raw.get("parentSpanId", "")),
            start=int(raw["startTimeUnixNano"]),
            end=int(raw["endTimeUnixNano"]),
            attributes=_attributes(raw),
            links=tuple(str(link.get("spanId", "")) for link in _list(raw, "links")),
            failed=status.get("code") in _ERROR,
            exception=_exception(raw),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _exception(raw: dict[str, Any]) -> str:
    for event in _list(raw, "events"):
        if event.get("name") == "exception":
            found = _attributes(event)
            return f"{found.get('exception.type', '')}: {found.get('exception.message', '')}"
    return ""


def _list(holder: Any, key: str) -> list[dict[str, Any]]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _attributes(holder: Any) -> dict[str, Any]:
    return {str(pair.get("key", "")): _value(pair.get("value")) for pair in _list(holder, "attributes")}


def _value(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return None
    kind, content = next(iter(value.items()))
    match kind:
        case "intValue":
            return _int(content)
        case "doubleValue":
            return _float(content)
        case "arrayValue":
            return [_value(item) for item in _list(content, "values")]
        case _:
            return content


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _float(value: Any) -> float:
    # Python's float reads the "NaN" and "Infinity" that protobuf's JSON mapping writes.
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
