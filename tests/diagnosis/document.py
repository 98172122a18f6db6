"""Keeps what was found between runs, and puts tables into `docs/verdict-accuracy.md`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs" / "verdict-accuracy.md"
RESULTS: Final = ROOT / "benchmark-results"


def saved(name: str) -> dict[str, Any]:
    """Return what was stored; empty where nothing was."""
    path = RESULTS / f"verdicts-{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def store(name: str, found: dict[str, Any]) -> None:
    """Store what was found."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"verdicts-{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def put(name: str, text: str) -> None:
    """Put a table between its markers in the document.

    Raises:
        ValueError: The document lacks the markers.
    """
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = DOCUMENT.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{DOCUMENT} has no {begin} and {end}")
    DOCUMENT.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
