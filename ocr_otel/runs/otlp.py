"""Takes spans and metric points out of OTLP-JSON objects; what has not their shape is left out, never an error."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.runs.model import LogEvent, LogLine, MetricPoint, SpanEvent, SpanRecord, Value, exception_of

_ERROR: Final = (2, "STATUS_CODE_ERROR")
_SEVERITIES: Final = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17, "FATAL": 21}
_MAX_NESTING: Final = 16
"""Depth to which lists and maps in attributes are followed."""


def resources(request: dict[str, Any], kind: str) -> Iterator[tuple[dict[str, Value], list[dict[str, Any]]]]:
    """Yield each resource's attributes with its raw spans or metrics.

    Args:
        request: One line of a file.
        kind: `Spans` or `Metrics`.
    """
    for resource in _objects(request, f"resource{kind}"):
        held = [raw for scope in _objects(resource, f"scope{kind}") for raw in _objects(scope, kind.lower())]
        yield attributes(resource.get("resource")), held


def span(raw: dict[str, Any], children: dict[str, list[SpanRecord]]) -> SpanRecord | None:
    """Return a span, None where its ids or times are missing.

    Args:
        raw: As OTLP JSON has it.
        children: Spans by the id of their parent; the span shares the list that bears its id.
    """
    try:
        span_id = str(raw["spanId"])
        status = raw.get("status")
        events = tuple(SpanEvent(str(event.get("name", "")), attributes(event)) for event in _objects(raw, "events"))
        return SpanRecord(
            name=str(raw["name"]),
            trace_id=str(raw["traceId"]),
            span_id=span_id,
            parent_id=str(raw.get("parentSpanId") or ""),
            start=_time(raw["startTimeUnixNano"]),
            end=_time(raw["endTimeUnixNano"]),
            attributes=attributes(raw),
            links=tuple(str(link.get("spanId", "")) for link in _objects(raw, "links")),
            failed=isinstance(status, dict) and status.get("code") in _ERROR,
            exception=_exception(events),
            events=events,
            children=children.setdefault(span_id, []),
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def points(metric: dict[str, Any], rank: int) -> Iterator[MetricPoint]:
    """Yield the points of a metric of any kind."""
    name = str(metric.get("name", ""))
    for kind in ("gauge", "sum", "histogram", "exponentialHistogram"):
        for point in _objects(metric.get(kind), "dataPoints"):
            value = _float(point.get("asDouble", point.get("asInt", point.get("sum", 0))))
            time, count = min(max(0, _int(point.get("timeUnixNano"))), 2**64), _int(point.get("count"))
            yield MetricPoint(name, time, attributes(point), value, count, rank)


def events(request: dict[str, Any], rank: int) -> Iterator[LogEvent]:
    """Yield the log records of a line that are events."""
    for resource in _objects(request, "resourceLogs"):
        for scope in _objects(resource, "scopeLogs"):
            for raw in _objects(scope, "logRecords"):
                if name := raw.get("eventName"):
                    yield LogEvent(str(name), max(0, _int(raw.get("timeUnixNano"))), attributes(raw), rank)


def log_lines(request: dict[str, Any], rank: int) -> Iterator[LogLine]:
    """Yield the log records of a line that are no events: what the program logged."""
    for resource in _objects(request, "resourceLogs"):
        for scope in _objects(resource, "scopeLogs"):
            named = scope.get("scope")
            name = str(named.get("name", "")) if isinstance(named, dict) else ""
            for raw in _objects(scope, "logRecords"):
                text = _value(raw.get("body"), 0)
                if not raw.get("eventName") and isinstance(text, str) and text:
                    severity = _severity(raw.get("severityNumber"))
                    time = min(max(0, _int(raw.get("timeUnixNano"))), 2**64)
                    level = str(raw.get("severityText") or "")[:16]
                    yield LogLine(
                        time, severity, level, name, text, attributes(raw), str(raw.get("traceId") or ""), rank
                    )


def _severity(value: Any) -> int:
    """Return the number of a severity, which protobuf's JSON mapping may write as a name such as `..._WARN2`."""
    if isinstance(value, str) and not value.isdecimal():
        name = value.removeprefix("SEVERITY_NUMBER_")
        return _SEVERITIES.get(name.rstrip("234"), 0) + (int(name[-1]) - 1 if name[-1:].isdecimal() else 0)
    return _int(value)


def attributes(holder: Any) -> dict[str, Value]:
    """Return the attributes of a resource, span, event or point."""
    return {str(pair.get("key", "")): _value(pair.get("value"), 0) for pair in _objects(holder, "attributes")}


def _value(value: Any, depth: int) -> Value:
    if not isinstance(value, dict) or not value or depth > _MAX_NESTING:
        return None
    kind, content = next(iter(value.items()))
    match kind:
        case "stringValue" | "bytesValue":
            return str(content)
        case "boolValue":
            return bool(content)
        case "intValue":
            return _int(content)
        case "doubleValue":
            return _float(content)
        case "arrayValue":
            return [_value(item, depth + 1) for item in _objects(content, "values")]
        case "kvlistValue":
            pairs = _objects(content, "values")
            return {str(pair.get("key", "")): _value(pair.get("value"), depth + 1) for pair in pairs}
        case _:
            return None


def _exception(events: tuple[SpanEvent, ...]) -> str:
    found = next((event.attributes for event in events if event.name == semconv.EXCEPTION_EVENT), {})
    return exception_of(found)


def _objects(holder: Any, key: str) -> list[dict[str, Any]]:
    found = holder.get(key) if isinstance(holder, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _time(value: Any) -> int:
    found = int(value)
    if not 0 <= found < 2**64:
        raise ValueError(f"{found} is no time in OTLP")
    return found


def _int(value: Any) -> int:
    # OTLP JSON writes 64-bit integers as strings.
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _float(value: Any) -> float:
    # Python's float reads the "NaN" and "Infinity" that protobuf's JSON mapping writes.
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan
