"""The files of a spool: `traces-00000001.jsonl` holds lines of spans, `traces.position` says how far they are sent."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

Signal = Literal["traces", "metrics", "logs"]

SIGNALS: Final[tuple[Signal, ...]] = get_args(Signal)
SPOOL_DIRECTORY: Final = "spool"
"""Name of the spool in the directory of a rank."""
_SEGMENT: Final = re.compile(r"(traces|metrics|logs)-(\d{8,})\.jsonl")
_SPOOL: Final = re.compile(rf"{SPOOL_DIRECTORY}(-\d+)?")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the lines of a signal.

    Attributes:
        segment: Number of the file.
        offset: Bytes before the place in it.
    """

    segment: int = 0
    offset: int = 0


class PositionFile:
    """How far the lines of a signal are acknowledged.

    One write of fixed length, which a kill does not cut.
    """

    _LENGTH: Final = 32

    def __init__(self, directory: Path, signal: Signal) -> None:
        self._path = directory / f"{signal}.position"
        self._file = -1

    def read(self) -> Position:
        """Return the position; the beginning where none is noted, or none can be read."""
        try:
            segment, offset = map(int, self._path.read_bytes()[: self._LENGTH].split())
        except (OSError, ValueError):
            return Position()
        return Position(segment, offset) if segment >= 0 and offset >= 0 else Position()

    def write(self, position: Position) -> None:
        """Note a position.

        Raises:
            OSError: It cannot be written.
        """
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        os.pwrite(self._file, b"%010d %020d\n" % (position.segment, position.offset), 0)

    def close(self, *, remove: bool = False) -> None:
        """Close the file, and remove it where nothing waits any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if remove:
            self._path.unlink(missing_ok=True)


def segment_path(directory: Path, signal: Signal, number: int) -> Path:
    """Return where a segment lies."""
    return directory / f"{signal}-{number:08d}.jsonl"


def segment_sizes(directory: Path) -> dict[Signal, dict[int, int]]:
    """Return the sizes of the segments that are there, in bytes, by signal and number, in their order."""
    found: dict[Signal, dict[int, int]] = {signal: {} for signal in SIGNALS}
    try:
        entries = list(os.scandir(directory))
    except OSError:
        return found
    names = [match for entry in entries if (match := _SEGMENT.fullmatch(entry.name))]
    for match in sorted(names, key=lambda each: int(each[2])):
        signal = next(each for each in SIGNALS if each == match[1])
        try:
            found[signal][int(match[2])] = (directory / match[0]).lstat().st_size
        except OSError:
            continue  # It was sent and removed meanwhile.
    return found


def bytes_behind(sizes: Mapping[int, int], position: Position) -> int:
    """Return how many bytes of segments lie behind a position."""
    behind = sum(size for number, size in sizes.items() if number > position.segment)
    return behind + max(0, sizes.get(position.segment, 0) - position.offset)


def spools(rank: Path) -> list[Path]:
    """Return the spools of a rank: more than one where its directory was used again while one was being sent."""
    return sorted(each for each in rank.glob(f"{SPOOL_DIRECTORY}*") if _is_spool(each))


def _is_spool(path: Path) -> bool:
    # A link may lead out of a run directory that somebody else has made.
    return path.is_dir() and not path.is_symlink() and _SPOOL.fullmatch(path.name) is not None
