"""The data of the SDK as a line of OTLP JSON, which goes to the disk, and as a protobuf message, which is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from ocr_otel.spool import Signal


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the data of a signal is encoded.

    Attributes:
        to_json: Makes the export request whose `to_dict` is OTLP JSON.
        to_protobuf: Makes the protobuf export request.
        count: Counts spans, metric points or log records.
    """

    to_json: Callable[[Any], Any]
    to_protobuf: Callable[[Any], Any]
    count: Callable[[Any], int]

    def line(self, data: Any) -> bytes:
        """Return the export request as a line, without its end."""
        return msgspec.json.encode(self.to_json(data).to_dict())


def encoding(signal: Signal) -> Encoding:
    """Return how a signal is encoded.

    The SDK's encoders take a third of a second to import, which a process that writes files does not need.
    """
    if signal == "traces":
        from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans as spans_to_json
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        return Encoding(spans_to_json, encode_spans, len)
    if signal == "metrics":
        from opentelemetry.exporter.otlp.json.common.metrics_encoder import encode_metrics as metrics_to_json
        from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

        return Encoding(metrics_to_json, encode_metrics, _count_points)
    from opentelemetry.exporter.otlp.json.common._log_encoder import encode_logs as logs_to_json
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

    return Encoding(logs_to_json, encode_logs, len)


def _count_points(data: Any) -> int:
    return sum(
        len(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )
