"""Small files of the kernel, and counters and rates made from what they say."""

from __future__ import annotations

import os
from typing import Final

from ocr_otel.resources.readings import Reading, Series

MIN_INTERVAL: Final = 0.1
"""Seconds between readings below which no rate is taken: the kernel counts CPU time in steps of 10 ms."""
_CHUNK: Final = 65_536


def read(path: str) -> bytes:
    """Return what a file of the kernel says now; several times faster than a Python file object.

    Raises:
        OSError: It is not there, not ours to read, or switched off.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = os.read(descriptor, _CHUNK)
        # One call returns a page of a long file, or less where the next line would not fit in it.
        while more := os.read(descriptor, _CHUNK):
            content += more
        return content
    finally:
        os.close(descriptor)


def read_or_none(path: str) -> bytes | None:
    """Return what a file says, or None where it cannot be read."""
    try:
        return read(path)
    except OSError:
        return None


def fields(content: bytes) -> dict[str, int]:
    """Return the numbers of a file of lines `name value`, such as `cpu.stat`; a colon after a name is no part of it."""
    found = {}
    for line in content.splitlines():
        words = line.split()
        if len(words) == 2 and words[1].isdigit():
            found[words[0].decode().rstrip(":")] = int(words[1])
    return found


class Growth:
    """Counters since a source was opened, made from counters of the kernel.

    They never fall: where the kernel's does, because it wrapped, or because another object is behind the same name,
    that interval counts nothing.
    """

    def __init__(self) -> None:
        self._last: dict[Series, float] = {}
        self._total: dict[Series, float] = {}

    def __call__(self, series: Series, value: float) -> Reading:
        """Take the kernel's value; the first one of a series is where it starts."""
        total = self._total.get(series, 0.0) + max(0.0, value - self._last.get(series, value))
        self._last[series] = value
        self._total[series] = total
        return series, total
