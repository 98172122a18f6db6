"""Reads OTLP-JSON lines, also of a file that is still being written or was cut by a kill."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


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
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self.offset)
            for raw in file:
                if not raw.endswith(b"\n") and not final:
                    return
                self.offset += len(raw)
                self.line += 1
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
