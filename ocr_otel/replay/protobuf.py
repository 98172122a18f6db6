"""Turns OTLP/JSON into OTLP/protobuf, for receivers that speak nothing else."""

from __future__ import annotations

import base64
from typing import Any, Final

from google.protobuf import json_format  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from ocr_otel.replay.lines import Signal

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
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def encode(signal: Signal, request: dict[str, Any]) -> bytes:
    """Encode an export request.

    Raises:
        ValueError: It does not fit the protobuf messages.
    """
    try:
        message = json_format.ParseDict(_with_base64_ids(request), _REQUESTS[signal](), ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError) as error:
        raise ValueError(str(error)) from None
    encoded: bytes = message.SerializeToString()
    return encoded


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


def _with_base64_ids(value: Any) -> Any:
    # OTLP/JSON has ids in hex, the protobuf mapping of bytes has base64. Everything else is the same.
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in _IDS else _with_base64_ids(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_base64_ids(item) for item in value]
    return value
