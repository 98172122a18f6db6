"""The training's side: makes what the watchdog reads, starts it, and dismisses it at a clean end."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from ocr_otel.watchdog import life, places
from ocr_otel.watchdog.cells import Cells
from ocr_otel.watchdog.journal import JOURNAL_FILE, JournalWriter

_PROGRAM: Final = Path(__file__).with_name("__main__.py")
_PATIENCE: Final = 5.0
"""Seconds that a clean end waits for a watchdog that is being started."""


class Watchdog:
    """What a process shares with its watchdog.

    Attributes:
        journal: What is open.
        cells: Numbers that change with each batch.
        directory: The watchdog's own directory.
    """

    def __init__(self, directory: Path, journal: JournalWriter, cells: Cells, pipe: tuple[int, int]) -> None:
        self.directory = directory
        self.journal = journal
        self.cells = cells
        self._pid = os.getpid()
        self._read, self._write = pipe
        self._lock = threading.Lock()
        self._starter: threading.Thread | None = None

    def launch(self, say: Callable[[str], None]) -> None:
        """Start the process, in a thread: the training does not wait for it.

        Args:
            say: Told why it could not be started. What is open is written down all the same, and ended later.
        """
        self._starter = threading.Thread(target=self._launch, args=(say,), name="ocr_otel-watchdog", daemon=True)
        self._starter.start()

    def finish(self) -> None:
        """End cleanly: nothing is open, and the watchdog goes without a word. A forked child may not do that."""
        if os.getpid() != self._pid:
            return
        if self._starter is not None:
            self._starter.join(_PATIENCE)
        with self._lock:
            write, self._write = self._write, -1
        if write < 0:
            return
        self.journal.close()
        places.remove(self.directory)
        os.close(write)

    def forget(self) -> None:
        """Let go, in a forked child, which may outlive its parent: the parent's end is to be seen."""
        write, self._write = self._write, -1
        if write >= 0:
            os.close(write)
        self.journal.abandon()

    def _launch(self, say: Callable[[str], None]) -> None:
        pidfd = _pidfd()
        passed = [self.cells.file, self._read, *((pidfd,) if pidfd >= 0 else ())]
        numbers = [str(each) for each in (self.cells.file, self._read, pidfd)]
        try:
            # No site, no variables, no packages: it is to be small, and whole whatever the training has installed.
            started = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM), str(self.directory), *numbers],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                close_fds=True,
                pass_fds=passed,
                start_new_session=True,
            )
            if started.wait():
                say(f"the watchdog's interpreter ended with status {started.returncode}")
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            say(f"the watchdog cannot be started: {error}")
        finally:
            os.close(self._read)
            if pidfd >= 0:
                os.close(pidfd)


def start(directory: Path, header: Mapping[str, Any], say: Callable[[str], None]) -> Watchdog | None:
    """Write down from now on what is open in this process, and start the watchdog that ends it.

    Args:
        directory: The rank's directory; it is there.
        header: What the journal is to say of the process, beside what makes it out among all others.
        say: Told in half a sentence why there is no watchdog; it may be called from another thread, and later.

    Returns:
        What is shared with the watchdog; None where the system has not what it needs, or nothing to give.
    """
    global _current
    if not hasattr(os, "memfd_create") or not hasattr(os, "pidfd_open"):
        say("this system has no memory files and no file descriptors of processes: the watchdog needs Linux")
        return None
    if not sys.executable:
        say("the watchdog needs a Python interpreter, and this program has none of its own")
        return None
    try:
        with ExitStack() as undo:
            watchdog = _make(directory.absolute(), header, undo)
            watchdog.launch(say)
            undo.pop_all()
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        say(f"the watchdog cannot be started: {error}")
        return None
    _current = watchdog
    return watchdog


def _make(directory: Path, header: Mapping[str, Any], undo: ExitStack) -> Watchdog:
    who = life.identity(os.getpid())
    place = places.make(directory, who["pid"], who["start_ticks"], next(_numbers))
    undo.callback(places.remove, place)
    cells = Cells()
    undo.callback(os.close, cells.file)
    pipe = os.pipe()
    for each in pipe:
        undo.callback(os.close, each)
    whole = {**header, **who, "python": sys.executable, "directory": str(directory)}
    journal = JournalWriter(place / JOURNAL_FILE, whole)
    undo.callback(journal.close)
    return Watchdog(place, journal, cells, pipe)


def _pidfd() -> int:
    try:
        return os.pidfd_open(os.getpid())
    except OSError:
        # Forbidden in this container, or Linux before 5.3: the end of the pipe and procfs tell too.
        return -1


_current: Watchdog | None = None
_numbers: Final = itertools.count()


def _in_child() -> None:
    global _current
    if _current is not None:
        _current.forget()
        _current = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
