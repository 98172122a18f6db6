"""OTLP JSON lines as OpenTelemetry's file exporter writes them, made with the standard library."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv

_ENVELOPES: Final = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}


def attribute(name: str, value: str | bool | int | float) -> dict[str, Any]:
    """Return an attribute; integers are strings in OTLP JSON, because JavaScript's numbers have 53 bits."""
    if isinstance(value, bool):
        return {"key": name, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": name, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": name, "value": {"doubleValue": value}}
    return {"key": name, "value": {"stringValue": str(value)}}


def attributes(values: Mapping[str, str | bool | int | float]) -> list[dict[str, Any]]:
    """Return attributes."""
    return [attribute(name, value) for name, value in values.items()]


def line(signal: str, header: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> bytes:
    """Return one line, without its end.

    Args:
        signal: `traces`, `metrics` or `logs`.
        header: The journal's, for resource and scope.
        items: Spans, metrics or log records.
    """
    outer, inner, name = _ENVELOPES[signal]
    scope = header.get("scope") or {"name": semconv.SCOPE}
    content = {outer: [{"resource": header.get("resource") or {}, inner: [{"scope": scope, name: list(items)}]}]}
    return json.dumps(content, separators=(",", ":")).encode()


def append(path: Path, content: bytes) -> None:
    """Append a line to a file, behind a line that a killed writer has cut.

    Raises:
        OSError: It cannot be written, or is a symbolic link.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    try:
        size = os.fstat(file).st_size
        cut = size > 0 and os.pread(file, 1, size - 1) != b"\n"
        left = memoryview(b"%s%s\n" % (b"\n" if cut else b"", content))
        while left:
            left = left[os.write(file, left) :]
    finally:
        os.close(file)


def hand_on(directory: Path, header: Mapping[str, Any], signal: str, items: Sequence[Mapping[str, Any]]) -> None:
    """Hand items on: into the run's files, or into the spool of what goes to an OTLP endpoint.

    Args:
        directory: The rank's directory.
        header: The journal's.
        signal: `traces`, `metrics` or `logs`.
        items: Spans, metrics or log records.

    Raises:
        OSError: They cannot be written.
    """
    content = line(signal, header, items)
    if header.get("target") == "otlp":
        from ocr_otel import spool

        spool.append(directory / "spool", signal, content)
    else:
        append(directory / f"{signal}.jsonl", content)
