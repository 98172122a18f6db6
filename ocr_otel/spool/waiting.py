"""What waits in a spool, looked at from outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocr_otel.spool.files import PositionFile, bytes_behind, segment_path, segment_sizes, spools
from ocr_otel.spool.lock import is_held
from ocr_otel.spool.store import Store


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a spool.

    Attributes:
        directory: The spool.
        size: Bytes.
        since: Unix time of the last line of the oldest segment that is not sent.
        in_use: Whether a process writes there, or sends from it.
    """

    directory: Path
    size: int
    since: float
    in_use: bool


def waiting_in(directory: Path) -> Waiting | None:
    """Return what waits in a spool; None where nothing does."""
    size, times = 0, []
    for signal, sizes in segment_sizes(directory).items():
        position = PositionFile(directory, signal).read()
        size += bytes_behind(sizes, position)
        for number, length in sizes.items():
            if (number, 0) > (position.segment, 0) or (number == position.segment and length > position.offset):
                try:
                    times.append(segment_path(directory, signal, number).stat().st_mtime)
                except OSError:
                    continue  # Sent meanwhile.
    return Waiting(directory, size, min(times), is_held(directory)) if size and times else None


def tidy(rank: Path) -> bool:
    """Remove the spools of a rank in which nothing waits, as a killed process leaves them.

    Args:
        rank: The rank's directory.

    Returns:
        Whether something waits, or is being sent.
    """
    waits = False
    for place in spools(rank):
        try:
            waits |= Store(place, 0).close() > 0
        except OSError:
            waits = True
    return waits
