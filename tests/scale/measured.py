"""What was measured, kept as JSON beside the page that is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

NUMBERS: Final = Path(__file__).resolve().parents[2] / "docs" / "capacity.json"


def read(path: Path = NUMBERS) -> dict[str, Any]:
    """Return what was measured so far."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def note(key: str, value: dict[str, Any], path: Path = NUMBERS) -> None:
    """Put a measurement in the place of the one before."""
    numbers = read(path) | {key: value}
    path.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n", encoding="utf-8")
