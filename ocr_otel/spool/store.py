"""One process's hold on a spool: it appends lines, reads what is not acknowledged, and removes what is."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

from ocr_otel.private import private_directory
from ocr_otel.spool.files import (
    SIGNALS,
    Position,
    PositionFile,
    Signal,
    bytes_behind,
    segment_path,
    segment_sizes,
)
from ocr_otel.spool.lock import Lock, SpoolInUse

SEGMENT_BYTES: Final = 4_000_000
"""A segment is closed at this size, and removed when all of it is acknowledged."""
_SMALLEST_SEGMENT: Final = 64_000
_SEGMENTS_IN_LIMIT: Final = 16
"""So many segments fit into a small limit: what is acknowledged in a segment that is not removed yet counts too."""
_NEIGHBOURS: Final = 20
"""Spools beside each other, where a run's directory is used again and again while its endpoint is away."""


class SpoolFull(Exception):
    """The spool has reached its limit."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that waits.

    Attributes:
        content: The line, without its end. It is cut where its writer was killed on a full disk.
        start: Where it begins.
        after: Where the next one begins.
    """

    content: bytes
    start: Position
    after: Position


class Store:
    """A spool, held by this process alone; any thread may use it.

    Args:
        directory: The spool; made where it is not there.
        limit: Bytes that its files may take.
        seconds: How long to wait for another process that sends from it.

    Raises:
        SpoolInUse: Another process sends from it.
        OSError: It cannot be made.
    """

    def __init__(self, directory: Path, limit: int, seconds: float = 0.2) -> None:
        self.directory = directory
        self._limit = limit
        self._segment_bytes = min(SEGMENT_BYTES, max(limit // _SEGMENTS_IN_LIMIT, _SMALLEST_SEGMENT))
        self._lock = Lock(directory, seconds)
        self._mutex = threading.Lock()
        self._files: dict[Signal, tuple[int, int]] = {}
        self._positions = {signal: PositionFile(directory, signal) for signal in SIGNALS}
        self._acknowledged = {signal: self._positions[signal].read() for signal in SIGNALS}
        self._sizes: dict[Signal, dict[int, int]] = {signal: {} for signal in SIGNALS}
        self._ends = dict(self._acknowledged)
        self._closed = False
        self._discover()

    def append(self, signal: Signal, content: bytes) -> tuple[Position, Position]:
        """Append a line; where it cannot be written whole, nothing of it stays.

        Returns:
            Where the line before it ended, and where it ends.

        Raises:
            SpoolFull: The limit is reached.
            OSError: The disk does not take it.
        """
        line = content + b"\n"
        with self._mutex:
            if self._closed:
                raise OSError(errno.EBADF, "the spool is closed")
            if sum(sum(sizes.values()) for sizes in self._sizes.values()) + len(line) > self._limit:
                raise SpoolFull(f"{self.directory} has reached its {self._limit:,} bytes")
            number, file = self._writable(signal, len(line))
            start = self._ends[signal]
            size = self._sizes[signal][number]
            try:
                if os.write(file, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                self._take_back(signal, file, size)
                raise
            self._sizes[signal][number] = size + len(line)
            after = self._ends[signal] = Position(number, size + len(line))
        return start, after

    def acknowledged(self, signal: Signal) -> Position:
        """Return up to where the lines are acknowledged."""
        return self._acknowledged[signal]

    def end(self, signal: Signal) -> Position:
        """Return where the lines end."""
        return self._ends[signal]

    def acknowledge(self, signal: Signal, position: Position) -> None:
        """Note that all before a position is sent; remove the segments that nobody needs any more."""
        with self._mutex:
            if self._closed:
                return
            self._acknowledged[signal] = position
            sizes = self._sizes[signal]
            with contextlib.suppress(OSError):
                # Unnoted, it goes on in memory; after a kill, more than the request under way is sent again.
                self._positions[signal].write(position)
            with contextlib.suppress(OSError):
                for number in [each for each, size in sizes.items() if (each, size) <= astuple(position)]:
                    # The last one is written to: it is removed when it is worth while.
                    if number < max(sizes) or sizes[number] >= _SMALLEST_SEGMENT:
                        self._close_file(signal, number)
                        self._remove(signal, number)

    def read(self, signal: Signal) -> Line | None:
        """Return the first line that is not acknowledged; None where there is none."""
        with self._mutex:
            start, end = self._acknowledged[signal], self._ends[signal]
        line = self._line_behind(signal, start)
        if line is None and start != end:
            # Nothing that could be read was left up to there; more may have come meanwhile.
            self.acknowledge(signal, end)
        return line

    def lines(self, signal: Signal) -> Iterator[Line]:
        """Read all lines that are not acknowledged, and acknowledge none."""
        line = self._line_behind(signal, self._acknowledged[signal])
        while line is not None:
            yield line
            line = self._line_behind(signal, line.after)

    def discover(self) -> None:
        """Take up the segments that others have appended."""
        with self._mutex, contextlib.suppress(OSError):
            self._discover()

    def waiting(self) -> dict[Signal, int]:
        """Return the bytes that are not acknowledged, by signal, where there are any."""
        with self._mutex:
            behind = {each: bytes_behind(self._sizes[each], self._acknowledged[each]) for each in SIGNALS}
        return {signal: size for signal, size in behind.items() if size}

    def close(self) -> int:
        """Give the spool back; remove all of it where nothing waits.

        Returns:
            Bytes that wait.
        """
        with self._mutex:
            if not self._closed:
                with contextlib.suppress(OSError):
                    self._discover()
                self._closed = True
        left = sum(self.waiting().values())
        with self._mutex:
            for signal in SIGNALS:
                self._close_file(signal)
                if not left:
                    for number in list(self._sizes[signal]):
                        self._remove(signal, number)
                self._positions[signal].close(remove=not left)
            self._lock.release(remove=not left)
            if not left:
                # Somebody may have appended in this moment.
                with contextlib.suppress(OSError):
                    self.directory.rmdir()
        return left

    def _writable(self, signal: Signal, size: int) -> tuple[int, int]:
        sizes = self._sizes[signal]
        if signal in self._files:
            number, file = self._files[signal]
            is_gone = os.fstat(file).st_nlink == 0
            has_room = not sizes[number] or sizes[number] + size <= self._segment_bytes
            if has_room and not is_gone and number == max(sizes):
                return number, file
            self._close_file(signal)
            if is_gone:
                sizes.clear()
                self._positions[signal].close()
        return self._begin(signal)

    def _begin(self, signal: Signal) -> tuple[int, int]:
        private_directory(self.directory)
        number = max((self._ends[signal].segment, *self._sizes[signal])) + 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        while True:
            try:
                file = os.open(segment_path(self.directory, signal, number), flags, 0o600)
                break
            except FileExistsError:
                self._discover()
                number += 1
        self._files[signal] = number, file
        self._sizes[signal][number] = 0
        # While there is room for it: it is overwritten in place later.
        self._positions[signal].write(self._acknowledged[signal])
        return number, file

    def _take_back(self, signal: Signal, file: int, size: int) -> None:
        try:
            os.ftruncate(file, size)
        except OSError:
            # Readers pass over a line that is cut at a segment's end.
            self._close_file(signal)

    def _discover(self) -> None:
        for signal, found in segment_sizes(self.directory).items():
            known, acknowledged = self._sizes[signal], self._acknowledged[signal]
            for number, size in found.items():
                if number not in known:
                    known[number] = size
                    if number < acknowledged.segment:
                        self._remove(signal, number)
                    elif (number, size) > (self._ends[signal].segment, self._ends[signal].offset):
                        self._ends[signal] = Position(number, size)
            self._sizes[signal] = dict(sorted(known.items()))

    def _line_behind(self, signal: Signal, start: Position) -> Line | None:
        position = start
        while (place := self._next(signal, position)) is not None:
            content = self._read_line(signal, place)
            after = Position(place.segment, place.offset + len(content))
            if content.strip():
                return Line(content.rstrip(b"\n"), start, after)
            position = after if content else self._lost(signal, place.segment)
        return None

    def _next(self, signal: Signal, position: Position) -> Position | None:
        with self._mutex:
            sizes = self._sizes[signal]
            if position.offset < sizes.get(position.segment, 0):
                return position
            later = (number for number, size in sizes.items() if number > position.segment and size)
            number = min(later, default=None)
        return None if number is None else Position(number)

    def _read_line(self, signal: Signal, place: Position) -> bytes:
        try:
            path = segment_path(self.directory, signal, place.segment)
            with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
                file.seek(place.offset)
                return file.readline()
        except FileNotFoundError:
            return b""

    def _lost(self, signal: Signal, number: int) -> Position:
        """Forget a segment that is shorter than it was: somebody else has been there."""
        with self._mutex:
            return Position(number, self._sizes[signal].pop(number, 0))

    def _remove(self, signal: Signal, number: int) -> None:
        segment_path(self.directory, signal, number).unlink(missing_ok=True)
        self._sizes[signal].pop(number, None)

    def _close_file(self, signal: Signal, number: int | None = None) -> None:
        if signal in self._files and number in (None, self._files[signal][0]):
            os.close(self._files.pop(signal)[1])


def claim(directory: Path, limit: int) -> Store:
    """Hold a spool; a neighbour of it where another process still sends from it.

    Raises:
        OSError: None can be made.
    """
    for number in range(1, _NEIGHBOURS + 1):
        place = directory if number == 1 else directory.with_name(f"{directory.name}-{number}")
        try:
            return Store(place, limit)
        except SpoolInUse:
            continue
    raise SpoolInUse(f"other processes send from {directory} and {_NEIGHBOURS - 1} beside it")
