"""Turns OTLP/JSON into OTLP/protobuf, which every receiver speaks, and reads what receivers answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from ocr_otel.otlp import JSON_CONSTANTS
from ocr_otel.spool import Signal

_REQUESTS: Final[dict[Signal, Any]] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
}
_RESPONSES: Final[dict[Signal, Any]] = {
    "traces": trace_service_pb2.ExportTraceServiceResponse,
    "metrics": metrics_service_pb2.ExportMetricsServiceResponse,
    "logs": logs_service_pb2.ExportLogsServiceResponse,
}
_REJECTED: Final[dict[Signal, str]] = {
    "traces": "rejected_spans",
    "metrics": "rejected_data_points",
    "logs": "rejected_log_records",
}
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def encode(signal: Signal, request: dict[str, Any]) -> bytes:
    """Encode an export request.

    Raises:
        ValueError: It does not fit the protobuf messages.
    """
    encoded: bytes = _message(signal, request).SerializeToString()
    return encoded


def parse_line(signal: Signal, line: bytes) -> Any:
    """Return the export request, a protobuf message, that a line of OTLP JSON holds.

    Raises:
        ValueError: It holds none.
    """
    try:
        request = json.loads(line, parse_constant=JSON_CONSTANTS.__getitem__)
    except RecursionError:
        raise ValueError("nested without end") from None
    if not isinstance(request, dict):
        raise ValueError("no OTLP export request")
    return _message(signal, request)


def parse(signal: Signal, body: bytes) -> Any:
    """Return the export request, a protobuf message, that a body holds.

    Raises:
        DecodeError: It holds none.
    """
    return _REQUESTS[signal].FromString(body)


def as_json(request: Any) -> dict[str, Any]:
    """Return an export request as OTLP JSON has it: ids in hex, enumerations as numbers."""
    found: dict[str, Any] = _with_ids(json_format.MessageToDict(request, use_integers_for_enums=True), _in_hex)
    return found


def response(signal: Signal, not_kept: int, why: str) -> bytes:
    """Return an encoded response that says how much was not kept, and why."""
    made = _RESPONSES[signal]()
    if not_kept:
        setattr(made.partial_success, _REJECTED[signal], not_kept)
        made.partial_success.error_message = why
    encoded: bytes = made.SerializeToString()
    return encoded


def count(request: Any) -> int:
    """Return how many spans, metric points or log records an export request holds."""
    if isinstance(request, _REQUESTS["traces"]):
        return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)
    if isinstance(request, _REQUESTS["logs"]):
        return sum(len(scope.log_records) for resource in request.resource_logs for scope in resource.scope_logs)
    return sum(
        len(getattr(metric, kind).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data"))
    )


def rejected(signal: Signal, response: Any) -> tuple[int, str]:
    """Return how many items a response, a protobuf message, says were not kept, and why."""
    partial = response.partial_success
    return int(getattr(partial, _REJECTED[signal])), str(partial.error_message)


def read_rejected(signal: Signal, body: bytes) -> tuple[int, str]:
    """Return what an encoded response says was not kept; nothing where it cannot be read."""
    try:
        return rejected(signal, _RESPONSES[signal].FromString(body))
    except DecodeError:
        return 0, ""


def decode_response(signal: Signal, body: bytes) -> dict[str, Any]:
    """Decode a response into its JSON form; an unreadable one is an empty one."""
    try:
        decoded: dict[str, Any] = json_format.MessageToDict(_RESPONSES[signal].FromString(body))
    except DecodeError:
        return {}
    return decoded


def decode_error(body: bytes) -> str:
    """Return the message of a `google.rpc.Status`, in which receivers of protobuf answer errors."""
    try:
        return str(Status.FromString(body).message)
    except DecodeError:
        return ""


def _message(signal: Signal, request: dict[str, Any]) -> Any:
    try:
        return json_format.ParseDict(_with_ids(request, _in_base64), _REQUESTS[signal](), ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError) as error:
        raise ValueError(str(error)) from None


def _with_ids(value: Any, written: Callable[[Any], str]) -> Any:
    # OTLP/JSON has ids in hex, the protobuf mapping of bytes has base64. Everything else is the same.
    if isinstance(value, dict):
        return {key: written(item) if key in _IDS else _with_ids(item, written) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_ids(item, written) for item in value]
    return value


def _in_base64(item: Any) -> str:
    return base64.b64encode(bytes.fromhex(item)).decode()


def _in_hex(item: Any) -> str:
    return base64.b64decode(item).hex()
