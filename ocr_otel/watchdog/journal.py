"""What is open in a training, in a file that outlives it: one record a line, each with its checksum.

Read and written with the standard library alone: the process that reads it is to stay small.
"""

from __future__ import annotations

import errno
import json
import os
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FORMAT: Final = 1
"""Version of the records."""
JOURNAL_FILE: Final = "journal"
CELLS_FILE: Final = "cells"
STACKS_FILE: Final = "stacks"
_CHECKSUM_DIGITS: Final = 8
SHORTENED_FROM: Final = 262_144
"""Bytes from which on a journal is made shorter."""

Span = Mapping[str, Any]
"""A span as OTLP JSON has it; one that is open has no end."""


@dataclass(slots=True)
class Journal:
    """What a journal says.

    Attributes:
        header: What the process was; empty where the first record is damaged.
        spans: Spans that are open, by their id in hex, in the order in which they began. One that has an end is over
            and was not handed on yet.
        damaged: Records that could not be read.
    """

    header: dict[str, Any] = field(default_factory=dict)
    spans: dict[str, dict[str, Any]] = field(default_factory=dict)
    damaged: int = 0


class JournalWriter:
    """Writes a journal; any thread may. A record is one write, which the kernel keeps when the process is killed.

    Args:
        path: The file; made anew, for its owner alone.
        header: What the process is.

    Raises:
        OSError: It cannot be written; so do `note` and `done`.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self._header = _line({"header": {"format": FORMAT, **header}})
        self._lock = threading.Lock()
        self._open: dict[str, bytes] = {}
        self._size = 0
        self._bound = SHORTENED_FROM
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._write(self._header)
        except OSError:
            self.close()
            raise

    def note(self, span: Span) -> None:
        """Note a span that is open, or over and not handed on yet; again, where it has changed."""
        record = _line({"span": span})
        with self._lock:
            self._open[span["spanId"]] = record
            self._append(record)

    def done(self, span_id: str) -> None:
        """Forget a span: it is over, and who exports it has it. The last one empties the journal."""
        with self._lock:
            if self._open.pop(span_id, None) is None:
                return
            if self._open:
                self._append(_line({"done": span_id}))
            else:
                self._empty()

    def close(self) -> None:
        """Close the file, and leave it."""
        with self._lock:
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

    def abandon(self) -> None:
        """Let go of the file in a forked child: it is the parent's, and so may be the lock at that moment."""
        self._lock = threading.Lock()
        self.close()

    def _append(self, record: bytes) -> None:
        self._write(record)
        if self._size > self._bound:
            # An entry of thousands of epochs. Written over the beginning, and then cut: what is behind until then are
            # later records of the same spans, which change nothing. A new file would not be the one that the watchdog
            # holds.
            self._size = len(self._header)
            self._write(b"".join(self._open.values()))
            os.ftruncate(self._file, self._size)
            self._bound = max(SHORTENED_FROM, 2 * self._size)

    def _empty(self) -> None:
        if self._file >= 0:
            os.ftruncate(self._file, len(self._header))
            self._size = len(self._header)

    def _write(self, records: bytes) -> None:
        if self._file < 0:
            return
        if os.pwrite(self._file, records, self._size) < len(records):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size += len(records)


def read(content: bytes) -> Journal:
    """Read a journal; a record that is cut or changed is counted and left out."""
    journal = Journal()
    for record in _records(content, journal):
        match record:
            case {"header": dict(header)}:
                journal.header = header
            case {"span": {"spanId": str(span_id)} as span}:
                journal.spans[span_id] = span
            case {"done": str(span_id)}:
                journal.spans.pop(span_id, None)
            case _:
                journal.damaged += 1
    return journal


def _records(content: bytes, journal: Journal) -> Iterator[dict[str, Any]]:
    for line in content.split(b"\n"):
        if not line:
            continue
        checksum, text = line[:_CHECKSUM_DIGITS], line[_CHECKSUM_DIGITS:]
        try:
            if int(checksum, 16) != zlib.crc32(text):
                raise ValueError("checksum")
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            yield found
        else:
            journal.damaged += 1


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x%s\n" % (zlib.crc32(text), text)
