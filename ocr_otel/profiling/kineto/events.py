"""One event of a trace as it stands in the file, decoded: only what is read further on; the rest is skipped."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

Identifier = int | float | str
MAX_SECONDS: Final = 30 * 86_400
"""No event lasts longer, and no trace: what does is damaged."""
Time = Annotated[float, msgspec.Meta(ge=-4e15, le=4e15)]
"""Microseconds, of this century also where they are counted since 1970."""
Duration = Annotated[float, msgspec.Meta(le=MAX_SECONDS * 1e6)]


class Arguments(msgspec.Struct, gc=False):
    """The `args` of an event."""

    external: Identifier = msgspec.field(default=0, name="External id")
    correlation: Identifier = 0
    bytes: Identifier = 0
    allocated: Identifier = msgspec.field(default=0, name="Bytes")
    device_type: Identifier = msgspec.field(default=0, name="Device Type")
    shapes: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="Input Dims")
    types: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="Input type")
    inputs: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="Concrete Inputs")
    call: Any = msgspec.field(default="", name="CallFrom")
    elements: Identifier = msgspec.field(default=0, name="In msg nelems")
    dtype: Any = ""
    name: Any = ""


class Event(msgspec.Struct, gc=False):
    """An event of a Chrome trace; times are microseconds."""

    ph: str = ""
    cat: str | None = None
    name: str = ""
    pid: Identifier | None = 0
    tid: Identifier | None = 0
    ts: Time = 0.0
    dur: Duration = 0.0
    args: Arguments | None = None


_LIST: Final = msgspec.json.Decoder(list[Event])
_ONE: Final = msgspec.json.Decoder(Event)
_NO_NUMBER: Final = re.compile(rb":\s*[+-]?(?:inf(?:inity)?|nan)\b", re.IGNORECASE)
"""Kineto writes the bandwidth of a copy that took no time as `inf`, which is no JSON."""


def decode(text: bytes, ends: NDArray[np.int64]) -> tuple[list[Event], int]:
    """Decode the events of a piece of text.

    Args:
        text: Objects, with commas between them.
        ends: Position of the last character of each.

    Returns:
        The events, and how many could not be read.
    """
    if not len(ends):
        return [], 0
    try:
        return _LIST.decode(b"[" + text[: int(ends[-1]) + 1].lstrip(b" \t\r\n,") + b"]"), 0
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _one_by_one(text, ends)


def _one_by_one(text: bytes, ends: NDArray[np.int64]) -> tuple[list[Event], int]:
    events: list[Event] = []
    start = 0
    for end in ends.tolist():
        one = text[start : end + 1].lstrip(b" \t\r\n,")
        start = end + 1
        try:
            events.append(_ONE.decode(one))
        except (msgspec.DecodeError, UnicodeDecodeError):
            repaired = _NO_NUMBER.sub(b": 0", one.decode("utf-8", "replace").encode())
            try:
                events.append(_ONE.decode(repaired))
            except msgspec.DecodeError:
                continue
    return events, len(ends) - len(events)
