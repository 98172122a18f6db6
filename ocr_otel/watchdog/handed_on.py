"""Which spans somebody has handed on already: a training may be killed before it can say so in its journal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

TAIL: Final = 1 << 20
"""Bytes at the end of what was written that are looked at."""


def handed_on(directory: Path, target: str, spans: Iterable[str]) -> set[str]:
    """Return those of the spans that were written a short while ago.

    Args:
        directory: The rank's directory.
        target: `files` or `otlp`.
        spans: Span ids in hex.
    """
    wanted = set(spans)
    files = [directory / "traces.jsonl"] if target != "otlp" else _segments(directory)
    found: set[str] = set()
    left = TAIL
    for path in files:
        if left <= 0 or found == wanted:
            break
        tail = _tail(path, left)
        left -= len(tail)
        for line in tail.split(b"\n"):
            # A link or a parent names a span too: only the span itself counts.
            if any(each.encode() in line for each in wanted - found):
                found |= wanted & set(_ids(line))
    return found


def _segments(directory: Path) -> list[Path]:
    dated = []
    for path in directory.glob("spool*/traces-*.jsonl"):
        try:
            dated.append((path.stat().st_mtime_ns, path))
        except OSError:
            continue  # It was sent and removed meanwhile.
    return [path for _, path in sorted(dated, reverse=True)]


def _tail(path: Path, length: int) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return b""
    try:
        return os.pread(file, length, max(0, os.fstat(file).st_size - length))
    except OSError:
        return b""
    finally:
        os.close(file)


def _ids(line: bytes) -> Iterator[str]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return
    for resource in _list(content, "resourceSpans"):
        for scope in _list(resource, "scopeSpans"):
            for span in _list(scope, "spans"):
                if isinstance(span, dict) and isinstance(span.get("spanId"), str):
                    yield span["spanId"]


def _list(value: Any, name: str) -> list[Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []
