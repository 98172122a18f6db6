"""The baseline file: JSON that a person can read, change and commit.

```json
{
  "format": 1,
  "run": "20261127-101500-8cef52",
  "measures": {
    "batch.mean": {"value": 0.4362, "tolerance": 0.1},
    "batch.p95_to_mean": {"max": 1.4},
    "validation.duration": {"value": 16.29, "tolerance": 0.1, "max": 300}
  }
}
```

A measure has a `value` that it may be worse than by `tolerance` (a share), or `max` and `min`, or both: then all of
them hold. Units are seconds, bytes, and shares from 0 to 1. `"required": false` lets a run pass that does not have the
measure.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ocr_otel.baseline.measures import MEASURES

FORMAT: Final = 1
TOLERANCE: Final = 0.1
"""Share by which a value may be worse where its file does not say it."""
_KEYS: Final = ("value", "tolerance", "max", "min", "required")
_LARGEST: Final = 1_000_000
"""Bytes of a file that are read."""


class BaselineError(Exception):
    """A baseline file cannot be used; the message says what is wrong where, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a measure must keep to.

    Attributes:
        value: What it was; None for limits alone.
        tolerance: Share by which it may be worse.
        most: Most that it may be.
        least: Least that it may be.
        required: Whether a run that does not have it fails.
    """

    value: float | None = None
    tolerance: float = TOLERANCE
    most: float | None = None
    least: float | None = None
    required: bool = True


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a file holds: the run that it was made of, empty where it was written by hand, and limits by measure."""

    run: str
    limits: Mapping[str, Limit]


def read(path: Path) -> Baseline:
    """Read a baseline file.

    Raises:
        BaselineError: It cannot be read, or holds what is not allowed.
    """
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST + 1))
    except FileNotFoundError:
        raise BaselineError(f"{path} is not there: make it with `ocr-otel baseline save`.") from None
    except OSError as error:
        raise BaselineError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{path} is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise BaselineError(f'{path} is no baseline: it must be an object with "format" and "measures".')
    form = found.get("format")
    if form != FORMAT:
        raise BaselineError(f"{path} has format {form!r}, and this version of ocr_otel reads {FORMAT}.")
    measures = found.get("measures")
    if not isinstance(measures, dict) or not measures:
        raise BaselineError(f'{path}: "measures" must be an object with one measure at least: {", ".join(MEASURES)}.')
    return Baseline(str(found.get("run", "")), {name: _limit(path, name, each) for name, each in measures.items()})


def saved(
    values: Mapping[str, float], names: Iterable[str], tolerance: float, old: Baseline | None
) -> dict[str, Limit]:
    """Return the limits of a new baseline.

    Args:
        values: What the run has.
        names: Measures to hold; those of an older baseline stay as well.
        tolerance: Share by which a value may be worse, where the older baseline says nothing of it.
        old: The baseline that it takes the place of: its tolerances and limits stay, its values are renewed.
    """
    kept = dict(old.limits) if old is not None else {}
    found = {}
    for name in [*kept, *(name for name in names if name not in kept)]:
        before, value = kept.get(name), values.get(name)
        if before is None and value is not None:
            found[name] = Limit(value, tolerance)
        elif before is not None:
            renewed = value if before.value is not None and value is not None else before.value
            found[name] = Limit(renewed, before.tolerance, before.most, before.least, before.required)
    return found


def written(run: str, limits: Mapping[str, Limit]) -> str:
    """Return the file's text."""
    return (
        json.dumps({"format": FORMAT, "run": run, "measures": {n: _raw(e) for n, e in limits.items()}}, indent=2) + "\n"
    )


def _raw(limit: Limit) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if limit.value is not None:
        found |= {"value": float(f"{limit.value:.6g}"), "tolerance": limit.tolerance}
    found |= {key: value for key, value in (("max", limit.most), ("min", limit.least)) if value is not None}
    return found if limit.required else found | {"required": False}


def _limit(path: Path, name: str, raw: Any) -> Limit:
    if name not in MEASURES:
        near = difflib.get_close_matches(name, MEASURES, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(MEASURES)}."
        raise BaselineError(f"{path}: there is no measure {name!r}: {hint}")
    if not isinstance(raw, dict):
        raise BaselineError(f"{path}: {name} must be an object with some of {', '.join(_KEYS)}.")
    unknown = [key for key in raw if key not in _KEYS]
    if unknown:
        raise BaselineError(f"{path}: {name} has {unknown[0]!r}; allowed are {', '.join(_KEYS)}.")
    numbers = {key: _number(path, name, key, raw[key]) for key in _KEYS[:4] if key in raw}
    if not numbers.keys() & {"value", "max", "min"}:
        raise BaselineError(f'{path}: {name} needs "value", "max" or "min".')
    if not isinstance(raw.get("required", True), bool):
        raise BaselineError(f"{path}: {name}.required must be true or false.")
    return Limit(
        value=numbers.get("value"),
        tolerance=numbers.get("tolerance", TOLERANCE),
        most=numbers.get("max"),
        least=numbers.get("min"),
        required=raw.get("required", True),
    )


def _number(path: Path, name: str, key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise BaselineError(f"{path}: {name}.{key} is {value!r}, and must be a number of 0 or more.")
    return float(value)
