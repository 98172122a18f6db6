"""Reads OTLP-JSON lines, also of a file that is still being written or was cut by a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


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
    """Reads a file's complete lines; called again it goes on where it stopped.

    Attributes:
        path: The file; it need not exist yet.
        offset: Bytes read.
        line: Lines read.
        damaged: Numbers of lines that are no JSON object.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.line = 0
        self.damaged: list[int] = []

    def read(self, final: bool = False) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the line numbers and objects that have come since the last call.

        Args:
            final: Whether a last line without an end is to be read too, because nobody writes any more.
        """
        if not self.path.exists():
            return
        for raw, offset, line in numbered(self.path, self.offset, self.line):
            if not raw.endswith(b"\n") and not final:
                return
            self.offset, self.line = offset, line
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
