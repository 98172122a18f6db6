"""Where the sockets of running trainings lie: a directory in the system's temporary one that is this user's alone."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel.profiling.control.machine import started

SYSTEM_TEMPORARY: Final = Path("/tmp")
"""Looked at first, whatever TMPDIR says: a job's TMPDIR is often its own, and the command is called outside of it."""
SUFFIX: Final = ".sock"
_BACKLOG: Final = 16


class UnsafeDirectory(OSError):
    """The directory of sockets is not this user's alone; the message says why."""


@dataclass(frozen=True, slots=True)
class Socket:
    """A socket that a training made.

    Attributes:
        path: Where it is.
        pid: The training's process.
        started: When that began; see `machine.started`.
    """

    path: Path
    pid: int
    started: int


def directories() -> list[Path]:
    """Return the directories in which this user's sockets may lie, the preferred first; they need not exist."""
    name = f"ocr_otel-{os.geteuid()}"
    return [base / name for base in dict.fromkeys((SYSTEM_TEMPORARY, Path(tempfile.gettempdir())))]


def user_name(uid: int) -> str:
    """Return a user's name, or the number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"with the number {uid}"


def check_private(directory: Path) -> None:
    """Make sure that only this user can put something into a directory, or replace it.

    Raises:
        UnsafeDirectory: It is a link, no directory, another user's, or open to others.
        OSError: It is not there.
    """
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{directory} is not used: it is a link or a file, and not a directory")
    if found.st_uid != os.geteuid():
        raise UnsafeDirectory(f"{directory} is not used: it belongs to the user {user_name(found.st_uid)}")
    if found.st_mode & 0o077:
        raise UnsafeDirectory(
            f"{directory} is not used: it is open to other users (mode {stat.S_IMODE(found.st_mode):o}, not 700)"
        )


def is_place(path: Path) -> bool:
    """Return whether a path is one where trainings have their sockets, whoever's they are."""
    folder, dash, number = path.parent.name.partition("-")
    return path.suffix == SUFFIX and path.is_absolute() and (folder, dash) == ("ocr_otel", "-") and number.isdecimal()


def listen() -> tuple[socket.socket, Socket]:
    """Make a socket of this process and listen on it; what dead processes left is removed.

    Raises:
        OSError: There is no place for it; the message names what was tried.
    """
    problems = []
    for directory in directories():
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            check_private(directory)
            _remove_dead(directory)
            return _listen_in(directory)
        except OSError as error:
            problems.append(str(error))
    raise OSError(f"no socket for `ocr-otel profile` could be made: {'; '.join(problems)}")


def _listen_in(directory: Path) -> tuple[socket.socket, Socket]:
    pid = os.getpid()
    began = started(pid) or 0
    path = directory / f"{pid}-{began}{SUFFIX}"
    fresh = path.with_suffix(".new")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(0o600)
        listener.listen(_BACKLOG)
        # Renamed when it listens, so that a socket that refuses is a dead one, and never one that is being made.
        fresh.rename(path)
    except OSError:
        listener.close()
        fresh.unlink(missing_ok=True)
        raise
    return listener, Socket(path, pid, began)


def sockets(directory: Path) -> list[Socket]:
    """Return the sockets in a directory.

    Raises:
        OSError: It is not this user's alone, or cannot be read.
    """
    check_private(directory)
    found = []
    for path in sorted(directory.glob("*" + SUFFIX)):
        pid, _, began = path.name.removesuffix(SUFFIX).partition("-")
        if pid.isdecimal() and began.isdecimal():
            found.append(Socket(path, int(pid), int(began)))
    return found


def _remove_dead(directory: Path) -> None:
    for each in sockets(directory):
        if started(each.pid) == each.started:
            continue
        # A process that is not seen here may be one of a container with the same directory: only who refuses is dead.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(each.path))
            except ConnectionRefusedError:
                each.path.unlink(missing_ok=True)
            except OSError:
                continue
