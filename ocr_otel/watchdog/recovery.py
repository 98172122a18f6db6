"""Ends the runs whose process and watchdog are both gone: killed together, or with their host."""

from __future__ import annotations

import os
import socket
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ocr_otel.watchdog import ending, life, places
from ocr_otel.watchdog.cells import SIZE, Cell, private_cells
from ocr_otel.watchdog.ending import End
from ocr_otel.watchdog.finishing import deliver, finish
from ocr_otel.watchdog.journal import CELLS_FILE, JOURNAL_FILE

_RANK: Final = "rank-"
_UNSEEN_SECONDS: Final = 60.0
"""A process that cannot be seen from here lives as long as its watchdog saves its numbers, every few seconds."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a run that was found.

    Attributes:
        directory: The directory of its rank.
        run_id: The run.
        end: How it ended; None where it was left alone.
        spans: Spans that were written.
        delivered: Whether nothing of it waits for an OTLP endpoint.
        left: Why it was left alone; empty where it was not.
        failed: Whether that is because it could not be read or written.
    """

    directory: Path
    run_id: str
    end: End | None = None
    spans: int = 0
    delivered: bool = True
    left: str = ""
    failed: bool = False


def recover(base: Path, other_hosts: bool = False) -> Iterator[Recovery]:
    """End the runs below a directory that nobody else can end.

    Args:
        base: The directory of all runs, of one run, or of a rank.
        other_hosts: End also those of other hosts, of which nobody can know from here whether they go on.

    Yields:
        Each run that is not over, or was not.
    """
    for place in find(base):
        found = _recovered(place, other_hosts)
        if found is not None:
            yield found


def find(base: Path) -> list[Path]:
    """Return the directories of watchdogs below a directory of runs, of one run, or of a rank; no link is followed."""
    found: list[Path] = []
    for directory in _directories(base):
        found += _subdirectories(directory / places.WATCHDOG_DIRECTORY)
    return found


def _directories(base: Path) -> Iterator[Path]:
    yield base
    for run in _subdirectories(base):
        if run.name == places.WATCHDOG_DIRECTORY:
            continue
        yield run
        yield from (rank for rank in _subdirectories(run) if rank.name.startswith(_RANK))


def _subdirectories(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []


def _recovered(place: Path, other_hosts: bool) -> Recovery | None:
    directory = place.parent.parent
    try:
        file = places.lock(place)
        if file is None:
            if (place / JOURNAL_FILE).exists():
                return Recovery(directory, directory.name, left="its watchdog is at work")
            _clear(place)
            return None
        try:
            return _end(place, directory, file, other_hosts)
        finally:
            os.close(file)
    except OSError as error:
        return Recovery(directory, directory.name, left=_problem(error), failed=True)


def _problem(error: OSError) -> str:
    return f"it cannot be read or written: {error.strerror or error}"


def _end(place: Path, directory: Path, file: int, other_hosts: bool) -> Recovery:
    journal = places.read_journal(place, file)
    run_id = str(journal.header.get("run_id"))
    left = _why_left(place, journal.header, other_hosts)
    if left:
        return Recovery(directory, run_id, left=left)
    cells, seen = _saved(place, file)
    end = _how(journal.header)
    latest = max((_nanoseconds(span.get("startTimeUnixNano")) for span in journal.spans.values()), default=0)
    spans = finish(directory, journal, cells, end, max(seen, latest))
    places.remove(place)
    delivered = deliver(directory, journal.header)
    places.leave_nothing(directory, places.runs_directory(journal.header))
    return Recovery(directory, run_id, end, spans, delivered)


def _why_left(place: Path, header: dict[str, Any], other_hosts: bool) -> str:
    host = header.get("host")
    if host and host != socket.gethostname():
        return "" if other_hosts else f"it is of another host, {host}"
    living = life.lives(header)
    if living is None:
        living = time.time() - _touched(place) < _UNSEEN_SECONDS
    return "it goes on" if living else ""


def _how(header: dict[str, Any]) -> End:
    boot = header.get("boot_id")
    restarted = boot and header.get("host") == socket.gethostname() and boot != life.boot_id()
    return ending.HOST_RESTART if restarted else ending.GONE


def _saved(place: Path, file: int) -> tuple[Sequence[int], int]:
    """Return the numbers that the watchdog saved last, and when the training was seen last."""
    lost = private_cells()
    try:
        content = (place / CELLS_FILE).read_bytes()[:SIZE]
        saved = (place / CELLS_FILE).stat().st_mtime_ns
    except OSError:
        return lost, os.fstat(file).st_mtime_ns
    cells = array("q", content[: len(content) // 8 * 8])
    if len(cells) < len(Cell):
        return lost, saved
    return cells, max(saved, cells[Cell.SEEN])


def _touched(place: Path) -> float:
    times = [0.0]
    for name in (JOURNAL_FILE, CELLS_FILE):
        try:
            times.append((place / name).stat().st_mtime)
        except OSError:
            continue
    return max(times)


def _clear(place: Path) -> None:
    # A process that was killed while it removed its directory.
    pid, ticks = places.process_of(place)
    if pid and life.start_ticks(pid) != ticks and time.time() - place.stat().st_mtime > _UNSEEN_SECONDS:
        places.remove(place)


def _nanoseconds(value: Any) -> int:
    return int(value) if isinstance(value, str) and value.isdecimal() else 0
