"""The directory of a process's watchdog: `.watchdog/<pid>-<start ticks>/` in the directory of its rank."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.watchdog import journal
from ocr_otel.watchdog.journal import JOURNAL_FILE, Journal

WATCHDOG_DIRECTORY: Final = ".watchdog"
_TRIES: Final = 10
_LEVELS: Final = 3
"""A rank, its run, all runs."""
_MAX_JOURNAL: Final = 64 << 20


def make(directory: Path, pid: int, ticks: int, first: int = 0) -> Path:
    """Make the directory of a process.

    A process that has replaced itself by another program would have the same name twice: then it gets a further number.

    Args:
        directory: The rank's directory.
        pid: The process.
        ticks: When it began.
        first: The number to begin with: one that a process has used before may still be removed by who watched it.

    Raises:
        OSError: It cannot be made.
    """
    parent = directory / WATCHDOG_DIRECTORY
    for number in range(first, first + _TRIES):
        made = parent / f"{pid}-{ticks}{f'-{number}' if number else ''}"
        try:
            parent.mkdir(mode=0o700, exist_ok=True)
            made.mkdir(mode=0o700)
        except (FileExistsError, FileNotFoundError):
            # Another process may remove the parent, empty, between the two.
            continue
        return made
    raise OSError(f"no directory can be made in {parent}")


def remove(place: Path) -> None:
    """Remove the directory of a process, the journal last; what cannot be removed stays."""
    try:
        names = [name for name in os.listdir(place) if name != JOURNAL_FILE]
        for name in (*names, JOURNAL_FILE):
            (place / name).unlink(missing_ok=True)
        place.rmdir()
        place.parent.rmdir()
    except OSError:
        # The parent is in use by others, most often.
        return


def lock(place: Path, patience: float = 0.0) -> int | None:
    """Take the journal: who has it may end it.

    Args:
        place: Its directory.
        patience: Seconds to wait for another process that has it.

    Returns:
        Its file descriptor; None where another process has it, or it is gone.

    Raises:
        OSError: It cannot be opened.
    """
    try:
        file = os.open(place / JOURNAL_FILE, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    deadline = time.monotonic() + patience
    while not _locked(file):
        if time.monotonic() >= deadline:
            os.close(file)
            return None
        time.sleep(0.02)
    if not holds(place, file):
        os.close(file)
        return None
    return file


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks: two that end the same run at the same moment would both write.
        return True
    return True


def holds(place: Path, file: int) -> bool:
    """Say whether the journal is still there, and the one that was opened."""
    try:
        return os.stat(place / JOURNAL_FILE).st_ino == os.fstat(file).st_ino
    except OSError:
        return False


def read_journal(place: Path, file: int) -> Journal:
    """Read a journal; what its header says about the process and the place is there also where it is damaged.

    Args:
        place: Its directory.
        file: Its file descriptor.

    Raises:
        OSError: It cannot be read.
    """
    found = journal.read(os.pread(file, min(os.fstat(file).st_size, _MAX_JOURNAL), 0))
    directory = place.parent.parent
    if not found.header:
        pid, ticks = process_of(place)
        target = "files" if (directory / "traces.jsonl").exists() else "otlp"
        found.header = {"run_id": directory.name, "pid": pid, "start_ticks": ticks, "target": target}
        found.header["scope"] = {"name": semconv.SCOPE}
    # It may have been moved, or be seen under another path from here.
    found.header["directory"] = str(directory)
    return found


def process_of(place: Path) -> tuple[int, int]:
    """Return pid and start ticks of the name of a directory; 0 where it is another name."""
    parts = place.name.split("-")
    pid, ticks = (parts[0], parts[1]) if len(parts) > 1 else ("", "")
    return (int(pid), int(ticks)) if pid.isdecimal() and ticks.isdecimal() else (0, 0)


def leave_nothing(directory: Path, top: Path) -> None:
    """Remove a rank's directory and those above it up to `top`, as far as nothing is in them any more."""
    with suppress(OSError):
        for each in (directory, *directory.parents)[:_LEVELS]:
            each.rmdir()
            if each == top:
                return


def runs_directory(header: Mapping[str, Any]) -> Path:
    """Return the directory of all runs."""
    if header.get("runs_dir"):
        return Path(header["runs_dir"])
    directory = Path(header["directory"])
    is_rank = directory.parent.name == header.get("run_id") != directory.name
    return directory.parent.parent if is_rank else directory.parent
