"""Sends as the SDK's OTLP exporter over gRPC does."""

from __future__ import annotations

import contextlib
import math
from typing import Any, Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from grpc import RpcError, StatusCode  # type: ignore[import-untyped]

from ocr_otel.otlp import protobuf
from ocr_otel.spool import Signal
from ocr_otel.telemetry.spooling.couriers import Answer, Courier, Later, Refused, Taken

_CREDENTIALS: Final = frozenset({StatusCode.UNAUTHENTICATED, StatusCode.PERMISSION_DENIED})
"""Credentials expire and are mended from outside, so what waits for them is kept; it is tried at the longest pace."""
_RETRY_INFO: Final = "google.rpc.retryinfo-bin"
_SHOWN: Final = 200
"""Characters of a receiver's words that are shown."""


def courier(exporter: Any, signal: Signal) -> Courier | None:
    """Return what sends as the exporter does; None where its inside is not the one that is known."""
    needed = ("_client", "_headers", "_timeout", "_channel", "_initialize_channel_and_stub", "_retryable_error_codes")
    return _GrpcCourier(exporter, signal) if all(hasattr(exporter, name) for name in needed) else None


class _GrpcCourier:
    def __init__(self, exporter: Any, signal: Signal) -> None:
        self._exporter = exporter
        self._signal = signal
        self._closed = False

    def send(self, request: Any) -> Answer:
        exporter = self._exporter
        try:
            response = exporter._client.Export(request=request, metadata=exporter._headers, timeout=exporter._timeout)
        except RpcError as error:
            return self._judge(error)
        except ValueError as error:
            # The channel was closed meanwhile.
            return Later(str(error)) if self._closed else Refused(str(error)[:_SHOWN])
        return Taken(*protobuf.rejected(self._signal, response))

    def _judge(self, error: Any) -> Answer:
        code, details = error.code(), str(error.details() or "")[:_SHOWN]
        said = f"gRPC {code.name}: {details}"
        if code is StatusCode.UNAVAILABLE and not self._closed:
            self._connect_anew()
        if code is StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details:
            # No lack of resources: it is too large for this receiver, and would be for ever.
            return Refused(said)
        if code in self._exporter._retryable_error_codes:
            return Later(said, _retry_delay(error))
        if code in _CREDENTIALS:
            return Later(f"{said}: are the credentials right?", math.inf)
        return Refused(said)

    def _connect_anew(self) -> None:
        # A channel that could not connect waits by itself, up to two minutes, and fails every call until then.
        with contextlib.suppress(Exception):
            self._exporter._channel.close()
        self._exporter._initialize_channel_and_stub()

    def close(self) -> None:
        self._closed = True
        self._exporter.shutdown()


def _retry_delay(error: Any) -> float | None:
    encoded = dict(error.trailing_metadata() or ()).get(_RETRY_INFO)
    if not isinstance(encoded, bytes):
        return None
    try:
        delay = RetryInfo.FromString(encoded).retry_delay
    except DecodeError:
        return None
    return float(max(0.0, delay.seconds + delay.nanos / 1e9))
