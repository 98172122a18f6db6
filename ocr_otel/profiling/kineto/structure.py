"""Where the objects of a JSON array begin and end, found in bulk, so that it can be decoded a piece at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_QUOTE: Final = ord('"')
_DEPTH: Final = np.zeros(256, np.int8)
_DEPTH[[ord("{"), ord("[")]] = 1
_DEPTH[[ord("}"), ord("]")]] = -1
_OF_INTEREST: Final = _DEPTH != 0
_OF_INTEREST[_QUOTE] = True


@dataclass(frozen=True, slots=True)
class Structure:
    """The brackets of a text that are not inside a string.

    Attributes:
        positions: Where they are.
        depths: How many are open after each, counted from the text's beginning.
        in_string: Whether the text ends inside a string.
    """

    positions: NDArray[np.int64]
    depths: NDArray[np.int64]
    in_string: bool

    def ends(self) -> NDArray[np.int64]:
        """Return the positions after which as many brackets are open as at the beginning: the ends of its objects."""
        ends: NDArray[np.int64] = self.positions[: self._closed][self.depths[: self._closed] == 0]
        return ends

    @property
    def close(self) -> int | None:
        """Position of the bracket that closes what the text began in; None where it is not in the text."""
        return int(self.positions[self._closed]) if self._closed < len(self.positions) else None

    @property
    def _closed(self) -> int:
        below = self.depths < 0
        return int(below.argmax()) if below.any() else len(self.positions)


def structure(text: bytes) -> Structure:
    """Find the brackets of a text that begins outside of any string."""
    if b"\\" in text:
        # Escaped quotes end no string. Replacing from the left takes pairs of backslashes as JSON does.
        text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    characters = np.frombuffer(text, np.uint8)
    positions = np.flatnonzero(_OF_INTEREST[characters])
    found = characters[positions]
    quotes = np.cumsum(found == _QUOTE)
    steps = _DEPTH[found]
    outside = (steps != 0) & (quotes % 2 == 0)
    depths = np.cumsum(steps[outside], dtype=np.int64)
    return Structure(positions[outside], depths, bool(len(quotes) and quotes[-1] % 2))
