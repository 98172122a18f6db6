"""Reads OTLP-JSON lines, also of a file that is still being written or was cut by a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ocr_otel.runs.limits import Limits, picked
from ocr_otel.runs.locate import inside


def numbered(path: Path, offset: int, number: int) -> Iterator[tuple[bytes, int, int]]:
    """Read a file's lines from a position on.

    Args:
        path: The file.
        offset: Bytes before the position.
        number: Lines before it.

    Yields:
        Each line with its end, where it has one; the offset behind it; its number, from 1.
    """
    with path.open("rb") as file:
        file.seek(offset)
        for raw in file:
            offset += len(raw)
            number += 1
            yield raw, offset, number


class LineReader:
    """Reads a file's complete lines; called again it goes on where it stopped, or at the beginning of a shorter file.

    Args:
        path: The file; it need not exist yet.
        limits: What is read of a file that is long already; None reads all of it.
        told: Called with the bytes of each line that was read.

    Attributes:
        path: The file.
        offset: Bytes read.
        line: Lines read.
        damaged: Numbers of lines that are no JSON object.
        sampled: Whether lines in the middle were left out, and `line` is no line's number in the file.
    """

    def __init__(self, path: Path, limits: Limits | None = None, told: Callable[[int], None] | None = None) -> None:
        self.path = path
        self.offset: int = 0
        self.line: int = 0
        self.damaged: list[int] = []
        self.sampled: bool = False
        self._limits = limits
        self._told = told

    def read(self, final: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the line numbers and objects that have come since the last call.

        Args:
            final: Whether a last line without an end is to be read too, because nobody writes any more.
        """
        if not inside(self.path, self.path.parent):
            return
        if self.path.stat().st_size < self.offset:
            # Another file in its place, or the same one made anew.
            self.offset = self.line = 0
        for raw, offset, line in self._raw():
            if not raw.endswith(b"\n") and not final:
                return
            self.offset, self.line = offset, line
            if self._told is not None:
                self._told(len(raw))
            if not raw.strip():
                continue
            try:
                found = json.loads(raw)
            except (ValueError, RecursionError):
                # A line of a hundred thousand opening brackets is no ValueError to Python.
                found = None
            if isinstance(found, dict):
                yield self.line, found
            else:
                self.damaged.append(self.line)

    def _raw(self) -> Iterator[tuple[bytes, int, int]]:
        if parts := self._limits.parts(self.path) if self._limits is not None and not self.offset else []:
            self.sampled = True
            for line, (raw, offset) in enumerate(picked(self.path, parts), 1):
                yield raw, offset, line
        else:
            yield from numbered(self.path, self.offset, self.line)
