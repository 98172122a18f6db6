"""What a reader keeps of a run that is long: enough to draw it, in bounded memory, opened in bounded time."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel import semconv

_LANDMARK: Final = f'"{semconv.TRAIN_EPOCH}"'.encode()
_SEARCHED: Final = 256_000_000
"""Bytes in which epochs are looked for: some tenths of a second."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read of files that are already there, and kept of all.

    Attributes:
        whole: Bytes up to which a file is read whole.
        head: Bytes that are read of the beginning of a longer one: what the run was configured as.
        tail: Bytes of its end: where it is now.
        landmarks: Lines with epochs that are looked for from the end on, and read wherever they are.
        picks: Single lines between them, at even distances. Counters are cumulative, so that nothing is lost of what
            they count; of kept batches it is an even choice.
        batches: Kept batches of a rank that are kept here with their spans, for a waterfall.
        spans: Spans of a rank above which what is not needed any more is let go.
        exports: Exports of metrics of the first rank; of more, older ones are thinned out.
        events: Events of a rank.
    """

    whole: int = 8_000_000
    head: int = 200_000
    tail: int = 2_000_000
    landmarks: int = 400
    picks: int = 60
    batches: int = 300
    spans: int = 4_500
    exports: int = 100
    events: int = 1_000

    def parts(self, path: Path) -> list[tuple[int, int, int]]:
        """Return what is read of a file: where each part begins, in bytes, where it ends, and how many lines of it."""
        size = path.stat().st_size
        if size <= self.whole:
            return []
        last = max(self.head, size - self.tail)
        places = {self.head + (last - self.head) * pick // self.picks for pick in range(self.picks)}
        places.update(_landmarks(path, self.head, last, self.landmarks))
        return [(0, self.head, size), *((at, last, 1) for at in sorted(places)), (last, size, size)]


def _landmarks(path: Path, start: int, end: int, most: int) -> list[int]:
    """Return where lines begin that hold an epoch's span, the last ones; the bytes are searched, nothing is parsed."""
    found: list[int] = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        start = max(start, end - _SEARCHED)
        while len(found) < most and (at := content.rfind(_LANDMARK, start, end)) >= 0:
            end = content.rfind(b"\n", 0, at) + 1
            found.append(end)
            if end <= start:
                break
    return found


def picked(path: Path, parts: list[tuple[int, int, int]]) -> Iterator[tuple[bytes, int]]:
    """Yield complete lines of parts of a file, each line once, and the offset behind it.

    A part that begins inside a line begins with the next one.
    """
    behind = 0
    with path.open("rb") as file:
        for start, end, most in parts:
            file.seek(max(start, behind))
            if start > behind:
                # One byte before, so that a line that begins right here is not taken for the rest of one.
                file.seek(start - 1)
                file.readline()
            for _ in range(most):
                if file.tell() >= end:
                    break
                line = file.readline()
                if not line.endswith(b"\n"):
                    return
                behind = file.tell()
                yield line, behind
