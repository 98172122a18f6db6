"""Adds a line to the spool of a process that is gone."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from ocr_otel.private import private_directory
from ocr_otel.spool.files import SIGNALS, PositionFile, segment_path, segment_sizes

_TRIES: Final = 100
"""Somebody else may take a number, or remove the emptied spool, between two of our steps."""


def append(directory: Path, signal: str, line: bytes) -> None:
    """Append a line, in a segment of its own, which is there as a whole or not at all.

    Others may send from the spool meanwhile, and find it.

    Args:
        directory: The spool; made where it is not there.
        signal: `traces`, `metrics` or `logs`.
        line: An OTLP JSON export request.

    Raises:
        OSError: It cannot be written.
        ValueError: There is no such signal.
    """
    known = next((each for each in SIGNALS if each == signal), None)
    if known is None:
        raise ValueError(f"there is no signal {signal!r}: one of {', '.join(SIGNALS)}")
    content = line.rstrip(b"\n") + b"\n"
    for _ in range(_TRIES):
        private_directory(directory)
        temporary = directory / f".{known}-{os.getpid()}"
        try:
            _write(temporary, content)
            # The position first: who removes the last segment removes the position after it.
            last = PositionFile(directory, known).read().segment
            last = max((last, *segment_sizes(directory)[known]))
            _place(temporary, segment_path(directory, known, last + 1))
        except (FileExistsError, FileNotFoundError):
            continue
        finally:
            temporary.unlink(missing_ok=True)
        return
    raise OSError(f"no segment could be made in {directory}")


def _place(temporary: Path, segment: Path) -> None:
    try:
        os.link(temporary, segment)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP) or segment.exists():
            raise
        # A file system without hard links.
        temporary.rename(segment)


def _write(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
        file.write(content)
