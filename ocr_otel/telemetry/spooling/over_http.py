"""Sends as the SDK's OTLP exporter over HTTP does."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from ocr_otel.otlp import protobuf
from ocr_otel.otlp.retry_after import seconds_to_wait
from ocr_otel.spool import Signal
from ocr_otel.telemetry.spooling.couriers import Answer, Courier, Later, Refused, Taken

_RETRYABLE: Final = frozenset({408, 429, 502, 503, 504})
_CREDENTIALS: Final = frozenset({401, 403, 407})
"""Credentials expire and are mended from outside, so what waits for them is kept; it is tried at the longest pace."""
_BOTTOM: Final = re.compile(r"\[Errno -?\d+\] [\w ]+|certificate verify failed: [^\"()]+|timed out")
_SHOWN: Final = 200
"""Characters of a receiver's words that are shown."""


def _errors(module: str, *names: str) -> tuple[type[Exception], ...]:
    """Return errors of a library; none where it is not installed, for which one the exporter sends with varies."""
    try:
        found = import_module(module)
    except ImportError:
        return ()
    return tuple(getattr(found, name) for name in names)


_UNFINISHED: Final = (
    *_errors("requests.exceptions", "ChunkedEncodingError", "ContentDecodingError"),
    *_errors("urllib3.exceptions", "DecodeError", "ReadTimeoutError"),
)
"""An answer that does not come, or breaks off: no connection error to the SDK, and no refusal either."""


def courier(exporter: Any, signal: Signal) -> Courier | None:
    """Return what sends as the exporter does; None where its inside is not the one that is known."""
    client = getattr(exporter, "_client", None)
    needed = ("_compress", "_submit", "_transport", "_timeout", "shutdown")
    return _HttpCourier(exporter, signal) if all(hasattr(client, name) for name in needed) else None


class _HttpCourier:
    def __init__(self, exporter: Any, signal: Signal) -> None:
        self._exporter = exporter
        self._client = exporter._client
        self._signal = signal

    def send(self, request: Any) -> Answer:
        body = request.SerializeToString()
        largest = getattr(self._exporter, "_max_request_size", 0)
        if 0 < largest < len(body):
            return Refused(f"a request of {len(body):,} bytes is more than the exporter sends")
        try:
            # It tries a connection that broke once more, as the receiver may have closed it meanwhile.
            result = self._client._submit(self._client._compress(body), self._client._timeout)
        except Exception as error:
            return Refused(f"{type(error).__name__}: {error}"[:_SHOWN])
        if result.status_code is None:
            reason = _words(result.error)
            broken = self._client._transport.is_connection_error(result.error) or isinstance(result.error, _UNFINISHED)
            return Later(reason) if broken else Refused(reason)
        return self._judge(result)

    def _judge(self, result: Any) -> Answer:
        status, headers = result.status_code, result.headers()
        if 200 <= status < 300:
            return _taken(self._signal, result.content(), headers)
        said = f"HTTP {status} {result.reason or ''}".strip()
        if status in _RETRYABLE:
            return Later(said, seconds_to_wait(headers.get("retry-after", "")))
        if status in _CREDENTIALS:
            return Later(f"{said}: are the credentials right?", math.inf)
        return Refused(said)

    def close(self) -> None:
        self._exporter.shutdown()


def _taken(signal: Signal, body: bytes, headers: Mapping[str, str]) -> Taken:
    if "json" in headers.get("content-type", ""):
        return Taken()
    return Taken(*protobuf.read_rejected(signal, body))


def _words(error: Exception | None) -> str:
    """Say what is at the bottom of an error, which `requests` and `urllib3` wrap in their own."""
    text = str(error)
    found = _BOTTOM.search(text)
    return f"{type(error).__name__}: {found[0] if found else text}"[:_SHOWN]
