"""What the lines of a plot are called: by the attributes in which their series differ."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.semconv import ProcessRole

_TRAINING: Final = "training process"
_ROLES: Final[Mapping[str, str]] = {
    ProcessRole.MAIN: _TRAINING,
    ProcessRole.WORKER: "its workers",
    ProcessRole.OTHER: "other processes",
}


def named(series: Sequence[Mapping[str, Any]], curve: str) -> list[str]:
    """Return the names of a curve's series.

    Args:
        series: Attributes of each.
        curve: What the curve is called beside; may be empty.
    """
    keys = dict.fromkeys(key for each in series for key in each)
    differing = [
        key
        for key in sorted(keys, key=_place)
        if key not in _OF_GPU and (key in _ALWAYS or len({str(each.get(key)) for each in series}) > 1)
    ]
    names = []
    numbered = _WORKER_ID in keys
    for each in series:
        parts = [_part(key, each, numbered) for key in differing if key in each]
        names.append(", ".join(part for part in (*parts, curve) if part))
    return names


def in_order(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that puts `worker 2` before `worker 10`, and the training process first."""
    parts = re.split(r"(\d+)", name)
    first = [(0 if name.startswith(_TRAINING) else 1, 0, "")]
    return first + [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


_WORKER_ID: Final = semconv.WORKER_ID
_GPU_ID: Final = "hw.id"
_GPU_NAME: Final = "hw.name"
_OF_GPU: Final = (_GPU_NAME, "hw.model", "hw.vendor", "hw.parent")
"""These go with the id."""
_ALWAYS: Final = (_GPU_ID, _WORKER_ID, semconv.PROCESS_ROLE, "system.device", "resource")
"""Said of a single line too: which GPU, process, disk or resource."""


def _place(key: str) -> tuple[bool, str]:
    # What a line is of comes before what it is.
    return (key not in _ALWAYS, key)


def _part(key: str, attributes: Mapping[str, Any], numbered: bool) -> str:
    value = str(attributes[key])
    if key == _GPU_ID:
        # Named as nvidia-smi counts them; a UUID alone tells by its beginning.
        name = str(attributes.get(_GPU_NAME, value.removeprefix("GPU-")[:8]))
        return f"GPU {name.removeprefix('gpu')}"
    if key == _WORKER_ID:
        return f"worker {value}"
    if key == semconv.PROCESS_ROLE:
        if numbered and value == ProcessRole.WORKER:
            return "" if _WORKER_ID in attributes else "further workers"
        return _ROLES.get(value, value)
    return value.replace("_", " ")
