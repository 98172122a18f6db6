"""How a rank's report and the answer to it are written, so that what another version wrote is seen as such."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ocr_otel.ranks.synchronisations import Integers
from ocr_otel.semconv import Phase

MAX_SYNCHRONISATIONS: Final = 4096
"""In one report: 64 KiB. Of more, the first are left out."""
_ITEM: Final = np.dtype("<i8")


@dataclass(frozen=True, slots=True)
class Report:
    """What a rank did since its last one.

    Attributes:
        number: Number of the report, from 0.
        loop: Number of the entry and of the loop in it.
        over: Whether the loop is over on this rank.
        host: Name of its host.
        batches: Batches of the loop so far.
        phases: Seconds of each phase in them.
        first: Number of the first of its synchronisations in the loop.
        waits: Nanoseconds that each took, shape (n,).
        left: When each was left, Unix nanoseconds by this host's clock, shape (n,).
    """

    number: int
    loop: tuple[int, int]
    over: bool
    host: str
    batches: int
    phases: dict[Phase, float]
    first: int
    waits: Integers
    left: Integers

    def encode(self) -> bytes:
        """Return it as bytes: a line of JSON, then the two arrays."""
        cut = max(0, len(self.waits) - MAX_SYNCHRONISATIONS)
        header = {
            "number": self.number,
            "loop": self.loop,
            "over": self.over,
            "host": self.host,
            "batches": self.batches,
            "phases": self.phases,
            "first": self.first + cut,
            "count": len(self.waits) - cut,
        }
        arrays = (self.waits[cut:].astype(_ITEM), self.left[cut:].astype(_ITEM))
        return json.dumps(header).encode() + b"\n" + b"".join(array.tobytes() for array in arrays)


def read_report(note: bytes) -> Report | None:
    """Return what `Report.encode` wrote; None of anything else."""
    line, _, rest = note.partition(b"\n")
    try:
        header = json.loads(line)
        count = int(header["count"])
        if not 0 <= count <= MAX_SYNCHRONISATIONS or len(rest) != 2 * count * _ITEM.itemsize:
            return None
        numbers = np.frombuffer(rest, dtype=_ITEM).astype(np.int64)
        entry, loop = header["loop"]
        return Report(
            number=int(header["number"]),
            loop=(int(entry), int(loop)),
            over=bool(header["over"]),
            host=str(header["host"]),
            batches=int(header["batches"]),
            phases={Phase(name): float(seconds) for name, seconds in header["phases"].items()},
            first=int(header["first"]),
            waits=numbers[:count],
            left=numbers[count:],
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class Answer:
    """What rank 0 tells a rank of itself.

    Attributes:
        delay: Seconds that it arrives after the median of the others, in three of four steps at least.
        last: Steps of the entry at which it arrived last, so far.
        offset: Seconds that its host's clock is ahead of that of rank 0's host; None on the same host.
        error: Half the interquartile range of that.
    """

    delay: float
    last: int
    offset: float | None = None
    error: float = 0.0

    def encode(self) -> bytes:
        """Return it as JSON."""
        return json.dumps([self.delay, self.last, self.offset, self.error]).encode()


def read_answer(note: bytes) -> Answer | None:
    """Return what `Answer.encode` wrote; None of anything else."""
    try:
        delay, last, offset, error = json.loads(note)
        known: Any = None if offset is None else float(offset)
        return Answer(float(delay), int(last), known, float(error))
    except (ValueError, TypeError):
        return None
