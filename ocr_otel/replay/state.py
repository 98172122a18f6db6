"""Remembers in the run directory how far each endpoint has acknowledged each file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ocr_otel.private import write_private
from ocr_otel.replay.lines import Position, TelemetryFile

STATE_FILE: Final = ".replay.json"
STATE_FORMAT: Final = 1


class ReplayState:
    """The positions of one endpoint; other endpoints in the same file are left as they are.

    Attributes:
        path: The state file.
        unwritable: Why it could not be written, the first time; empty while it can.
    """

    def __init__(self, run: Path, endpoint: str, resume: bool) -> None:
        self.path: Path = run / STATE_FILE
        self.unwritable: str = ""
        self._endpoint = endpoint
        self._positions: dict[str, Position] = {}
        if resume:
            self._positions = _positions(_read(self.path).get(endpoint))

    def position(self, file: TelemetryFile) -> Position:
        """Return how far a file is done: its beginning when the file is shorter than what was sent of it."""
        known = self._positions.get(file.name, Position())
        return known if known.offset <= file.path.stat().st_size else Position()

    def advance(self, file: TelemetryFile, position: Position) -> None:
        """Note that everything before `position` is acknowledged. A reader never sees half a state."""
        self._positions[file.name] = position
        if self.unwritable:
            return
        endpoints = _read(self.path)
        endpoints[self._endpoint] = {
            name: {"offset": each.offset, "line": each.line} for name, each in self._positions.items()
        }
        try:
            write_private(self.path, json.dumps({"format": STATE_FORMAT, "endpoints": endpoints}, indent=1) + "\n")
        except OSError as error:
            self.unwritable = f"{self.path} cannot be written ({error.strerror or error})"


def _read(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError):
        return {}
    endpoints = state.get("endpoints") if isinstance(state, dict) and state.get("format") == STATE_FORMAT else None
    return endpoints if isinstance(endpoints, dict) else {}


def _positions(files: Any) -> dict[str, Position]:
    try:
        return {name: Position(int(each["offset"]), int(each["line"])) for name, each in (files or {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}
