"""Work that takes a given time: what is planted is planted in seconds, whatever the machine does beside."""

from __future__ import annotations

import time
import zlib
from time import perf_counter

_BYTES = bytes(range(256)) * 64


def burn(seconds: float) -> None:
    """Keep a core busy for so long."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        zlib.crc32(_BYTES)


def interpret(seconds: float) -> list[str]:
    """Run plain Python for so long: strings and lists, as where text is decoded or counted."""
    end = perf_counter() + seconds
    words: list[str] = []
    while perf_counter() < end:
        words = [str(number)[::-1] for number in range(40)]
    return words


def wait(seconds: float) -> None:
    """Wait for so long without using a core, as for storage or a server."""
    time.sleep(seconds)
