"""Who may send from a spool: one process at a time."""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from pathlib import Path
from time import monotonic
from typing import Final

from ocr_otel.private import private_directory

LOCK_FILE: Final = "lock"
_PATIENCE: Final = 0.2
"""Seconds that a look at the lock, which holds it for a moment, may keep from getting it."""


class SpoolInUse(OSError):
    """Another process sends from this spool."""


class Lock:
    """The right to send from a spool. It ends with the process; a forked child does not have it.

    Args:
        directory: The spool; made where it is not there.
        seconds: How long to wait for it.

    Raises:
        SpoolInUse: Another process has it.
        OSError: The directory or the file cannot be made.
    """

    def __init__(self, directory: Path, seconds: float = _PATIENCE) -> None:
        self._path = directory / LOCK_FILE
        self._file = -1
        ends = monotonic() + seconds
        while not self._try(directory):
            if monotonic() >= ends:
                raise SpoolInUse(f"another process sends from {directory}")
            time.sleep(0.01)
        _held.add(self)

    def _try(self, directory: Path) -> bool:
        private_directory(directory)
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            return False  # The spool was emptied and removed in this moment.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had it before may have removed the file: then others lock another one.
            if os.stat(self._path).st_ino == os.fstat(file).st_ino:
                self._file = file
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:
            os.close(file)
            raise
        os.close(file)
        return False

    def release(self, *, remove: bool = False) -> None:
        """Give it back; remove the file where the spool is empty."""
        if self._file < 0:
            return
        if remove:
            self._path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Close the file, which in a forked child gives nothing back."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def is_held(directory: Path) -> bool:
    """Return whether a process sends from a spool."""
    try:
        file = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


_held: weakref.WeakSet[Lock] = weakref.WeakSet()


def _forget_all() -> None:
    # A worker that outlives a killed training would keep its spool from being sent.
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)
