"""Reads OTLP-JSON files through the official protobuf classes, which validates them on the way."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_IDS = ("traceId", "spanId", "parentSpanId")


def to_protobuf_json(value: Any) -> Any:
    """OTLP/JSON writes ids in hex; the protobuf mapping of bytes is base64. All else is the same."""
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in _IDS else to_protobuf_json(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [to_protobuf_json(item) for item in value]
    return value


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def attributes(item: Any) -> dict[str, Any]:
    """The attributes of a protobuf span, point or resource."""
    return {pair.key: _value(pair.value) for pair in item.attributes}


@dataclass
class Span:
    """A span with its children."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    links: list[str]
    events: dict[str, dict[str, Any]]
    failed: bool
    children: list[Span] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Duration."""
        return (self.end - self.start) / 1e9

    def child(self, name: str) -> Span:
        """The one child of that name."""
        found = [child for child in self.children if child.name == name]
        assert len(found) == 1, f"{self.name} has {len(found)} children {name}"
        return found[0]

    def all(self, name: str) -> list[Span]:
        """Children of that name, in order of time."""
        return sorted((child for child in self.children if child.name == name), key=lambda child: child.start)


class Traces:
    """All spans of a file."""

    def __init__(self, path: Path) -> None:
        self.spans: list[Span] = []
        self.resource: dict[str, Any] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            request = json_format.ParseDict(to_protobuf_json(json.loads(line)), ExportTraceServiceRequest())
            for resource in request.resource_spans:
                self.resource = attributes(resource.resource)
                for scope in resource.scope_spans:
                    self.spans += [_span(span) for span in scope.spans]
        self.by_id = {span.span_id: span for span in self.spans}
        assert len(self.by_id) == len(self.spans), "a span id was used twice"
        for span in self.spans:
            if span.parent_id:
                parent = self.by_id.get(span.parent_id)
                assert parent is not None, f"{span.name} is an orphan"
                assert parent.trace_id == span.trace_id
                parent.children.append(span)

    def roots(self, name: str) -> list[Span]:
        """Roots of that name, in order of time."""
        return sorted(
            (span for span in self.spans if span.name == name and not span.parent_id), key=lambda span: span.start
        )

    def root(self, name: str) -> Span:
        """The one root of that name."""
        found = self.roots(name)
        assert len(found) == 1, f"{len(found)} roots {name}"
        return found[0]


def _span(span: Any) -> Span:
    return Span(
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        attributes=attributes(span),
        links=[link.span_id.hex() for link in span.links],
        events={event.name: attributes(event) for event in span.events},
        failed=span.status.code == 2,
    )


class Metrics:
    """The last point of each series of a file of cumulative metrics."""

    def __init__(self, path: Path) -> None:
        self.points: dict[str, dict[tuple[tuple[str, Any], ...], Any]] = defaultdict(dict)
        self.units: dict[str, str] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            request = json_format.ParseDict(to_protobuf_json(json.loads(line)), ExportMetricsServiceRequest())
            for resource in request.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        self.units[metric.name] = metric.unit
                        data = getattr(metric, metric.WhichOneof("data"))
                        for point in data.data_points:
                            self.points[metric.name][tuple(sorted(attributes(point).items()))] = point

    def value(self, name: str, **labels: str) -> float:
        """The value of one series; underscores in labels stand for dots."""
        key = tuple(sorted((label.replace("_", "."), text) for label, text in labels.items()))
        point = self.points[name][key]
        return float(point.as_double if point.WhichOneof("value") == "as_double" else point.as_int)

    def histogram(self, name: str, **labels: str) -> Any:
        """The histogram point of one series."""
        return self.points[name][tuple(sorted((label.replace("_", "."), text) for label, text in labels.items()))]
