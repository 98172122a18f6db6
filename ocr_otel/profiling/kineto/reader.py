"""Reads a trace file as Kineto writes it into columns, with memory that grows by some dozen bytes an event.

The format is Chrome's: an object whose `traceEvents` is a list of events, or the list alone. The text is cut where
events end and each piece is decoded by msgspec into structures that know only what is read here; that is several times
faster than an incremental parser, which hands every bracket to Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec

from ocr_otel.profiling.kineto.columns import Allocations, Builder, Columns, Sparse
from ocr_otel.profiling.kineto.events import decode
from ocr_otel.profiling.kineto.source import Progress, Source, TraceError
from ocr_otel.profiling.kineto.structure import structure

_EVENTS: Final = re.compile(rb'"traceEvents"\s*:\s*\[')
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_MAX_HEAD: Final = 64 * 2**20
"""Bytes in which the list of events must begin, and in which one event must end."""
_MAX_TAIL: Final = 2**20
"""Bytes behind the events that are looked at."""


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread of the host, or a stream of a device, which is then the `process`."""

    process: Any
    thread: Any
    name: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was read.

    Attributes:
        columns: The events that have a duration and a known category.
        names: Names by their number.
        threads: Threads by their number.
        texts: Input shapes and lines of code by their number.
        bytes: Bytes of copies and of collectives.
        shapes: Input shapes of operators, as numbers of texts.
        flops: Floating point operations of operators that do many and have their shapes recorded.
        calls: Lines that called Python functions, as numbers of texts; traces of older PyTorch have none.
        allocations: Memory given and taken back.
        metadata: What stands beside the events, such as `deviceProperties`.
        events: Events read, of any kind.
        complete: Whether the file was whole.
        unreadable: Events that could not be read.
    """

    columns: Columns
    names: list[str]
    threads: list[Thread]
    texts: list[str]
    bytes: Sparse
    shapes: Sparse
    flops: Sparse
    calls: Sparse
    allocations: Allocations
    metadata: dict[str, Any] = field(default_factory=dict)
    events: int = 0
    complete: bool = True
    unreadable: int = 0


def read(path: Path, progress: Progress | None = None) -> Trace:
    """Read a trace file.

    Args:
        path: A Chrome trace in JSON, plain or gzipped.
        progress: Told the bytes read so far and the file's size.

    Raises:
        TraceError: It is no trace of PyTorch's profiler, or nothing of it could be read.
    """
    source = Source(path, progress)
    pieces = source.pieces()
    builder = Builder()
    head = _Head(path)
    held = head.find(pieces)
    count = unreadable = 0
    closed = False
    for piece in chain((b"",), pieces):
        held += piece
        found = structure(held)
        ends = found.ends()
        events, failed = decode(held, ends)
        builder.add(events)
        count += len(events)
        unreadable += failed
        done = int(ends[-1]) + 1 if len(ends) else 0
        if found.close is not None:
            closed = True
            unreadable += bool(held[done : found.close].strip(b" \t\r\n,"))
            held = held[found.close + 1 :]
            break
        held = held[done:]
        if len(held) > _MAX_HEAD:
            raise TraceError(f"{path} is not a trace: one of its events is longer than {_MAX_HEAD >> 20} MB.")
    tail = held
    if closed:
        for piece in pieces:
            tail = (tail + piece)[-_MAX_TAIL:]
    complete = closed and source.intact and (not head.wrapped or tail.rstrip().endswith(b"}"))
    _check(path, builder, count, unreadable, complete)
    metadata = {**head.metadata, **(_tail_metadata(tail) if complete and head.wrapped else {})}
    return Trace(
        bytes=builder.sparse("bytes"),
        shapes=builder.sparse("shapes"),
        flops=builder.sparse("flops"),
        calls=builder.sparse("calls"),
        allocations=builder.allocations(),
        columns=builder.columns(),
        names=list(builder.names),
        threads=_threads(builder),
        texts=list(builder.texts),
        metadata=metadata,
        events=count,
        complete=complete,
        unreadable=unreadable,
    )


class _Head:
    """What stands before the events."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wrapped = False
        self.metadata: dict[str, Any] = {}

    def find(self, pieces: Iterator[bytes]) -> bytes:
        """Return the text behind the bracket that opens the list of events, as far as it was read."""
        text = b""
        for piece in pieces:
            text = (text + piece).removeprefix(_BYTE_ORDER_MARK).lstrip()
            if not text:
                continue
            if text.startswith(b"["):
                return text[1:]
            if not text.startswith(b"{"):
                raise TraceError(f"{self.path} is not a trace: it is no JSON.")
            for match in _EVENTS.finditer(text):
                if structure(text[: match.start()]).depths[-1] == 1:
                    self.wrapped = True
                    self.metadata = _object(text[: match.start()] + b'"":0}')
                    return text[match.end() :]
            if len(text) > _MAX_HEAD:
                break
        if not text:
            raise TraceError(f"{self.path} is empty.")
        found = structure(text)
        if found.in_string or (len(found.depths) and found.depths[-1] > 0 and len(text) <= _MAX_HEAD):
            raise TraceError(f"{self.path} is cut off before its first event, or no trace at all.")
        raise TraceError(f'{self.path} is not a trace: it has no "traceEvents".')


def _check(path: Path, builder: Builder, count: int, unreadable: int, complete: bool) -> None:
    if builder.seen and builder.names:
        return
    if unreadable > count:
        raise TraceError(f"{path} is not a trace: what is in its list are no events.")
    if builder.seen:
        raise TraceError(f"{path} is a trace, but not of PyTorch's profiler: it has none of its kinds of events.")
    if not complete:
        raise TraceError(f"{path} is cut off before its first event, or no trace at all.")
    if count:
        raise TraceError(f"{path} holds {count} objects, but no event that has a duration.")
    raise TraceError(f"{path} holds no events: the profiler was not active, or nothing ran while it was.")


def _tail_metadata(tail: bytes) -> dict[str, Any]:
    return _object(b'{"":0' + tail)


def _object(text: bytes) -> dict[str, Any]:
    """Return what stands beside the events; nothing where it is no JSON, which the events do not depend on."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return {}
    return {name: value for name, value in found.items() if name} if isinstance(found, dict) else {}


def _threads(builder: Builder) -> list[Thread]:
    return [Thread(*key, builder.thread_names.get(key, "")) for key in builder.threads]
