"""What a watchdog does: waits for the end of a training, looks for hangs meanwhile, and says the rest."""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from ocr_otel.watchdog import ending, places, recovery
from ocr_otel.watchdog.cells import Cells
from ocr_otel.watchdog.ending import End
from ocr_otel.watchdog.finishing import deliver, finish
from ocr_otel.watchdog.hangs import HangWatch
from ocr_otel.watchdog.journal import CELLS_FILE
from ocr_otel.watchdog.life import Life
from ocr_otel.watchdog.oom import OutOfMemory

SAVE_EVERY: Final = 5.0
"""Seconds between two copies of the shared numbers: what is told of a run that dies together with its watchdog."""
_LOCK_PATIENCE: Final = 10.0
"""Somebody who looks for runs to end holds a journal for a moment, to see whose it is."""
_EXIT_PATIENCE: Final = 2.0
"""Seconds from the end of a process's pipe to its own: the kernel closes files before it says that one is gone."""
_RECOVERY_PATIENCE: Final = 60.0
_MAX_FAILURES: Final = 3
_SHORTEST: Final = 0.05
"""Seconds between two looks at least."""
_CELLS_NAME: Final = "memfd:ocr_otel-cells"


class _Watch(Protocol):
    def interval(self) -> float:
        """Return the seconds until the next look."""

    def look(self) -> None:
        """Look."""


def main(arguments: Sequence[str]) -> None:
    """Watch a training until it is gone.

    Args:
        arguments: The watchdog's directory, and the file descriptors of the cells, of the pipe whose other end the
            training alone has, and of the training itself; -1 where there is none of that.
    """
    # What ends the training's process group, or its whole session, is what this process is there for. A handler and
    # not SIG_IGN, which the process that delivers would inherit.
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    _survive_memory()
    place = Path(arguments[0])
    cells_file, pipe, pidfd = map(int, arguments[1:4])
    file = places.lock(place, _LOCK_PATIENCE)
    if file is None:
        return
    header = places.read_journal(place, file).header
    life = Life(int(header["pid"]), int(header["start_ticks"]), pidfd)
    out_of_memory = OutOfMemory(life.pid)
    cells = Cells(cells_file)
    saver = _Saver(place, cells)
    hangs = _Guarded(lambda: HangWatch(header, cells, place))
    recovering = _Recovering(places.runs_directory(header))
    replaced = _Wait(life, pipe, lambda: not places.holds(place, file)).until_gone((saver, hangs))
    if places.holds(place, file):
        end = ending.REPLACED if replaced else ending.end_of(life.status(), out_of_memory.verdict())
        _say(place, file, cells, end)
    elif place.exists():
        # What this process has made there while the training removed it.
        places.remove(place)
        places.leave_nothing(place.parent.parent, places.runs_directory(header))
    recovering.wait()


def _say(place: Path, file: int, cells: Cells, end: End) -> None:
    now = time.time_ns()
    journal = places.read_journal(place, file)
    directory = place.parent.parent
    finish(directory, journal, cells.values, end, now)
    places.remove(place)
    # Also where nothing was open: a training that ends leaves to its watchdog what no endpoint took in time.
    deliver(directory, journal.header)
    places.leave_nothing(directory, places.runs_directory(journal.header))


class _Wait:
    """Waits for the end of a process.

    Args:
        life: The process.
        pipe: Ends with the process, or when it closes it.
        is_over: Whether the process has said that it is done with us.
    """

    def __init__(self, life: Life, pipe: int, is_over: Callable[[], bool]) -> None:
        self._life = life
        self._pipe = pipe
        self._is_over = is_over
        self._poll = select.poll()
        self._poll.register(pipe, select.POLLIN)
        if life.pidfd >= 0:
            self._poll.register(life.pidfd, select.POLLIN)

    def until_gone(self, watches: Sequence[_Watch]) -> bool:
        """Return when the process is gone, or done with us; meanwhile look, as often as each of the watches wants.

        Returns:
            Whether the process still runs, and is another program now.
        """
        due = [time.monotonic()] * len(watches)
        while True:
            now = time.monotonic()
            for index, watch in enumerate(watches):
                if due[index] <= now:
                    watch.look()
                    due[index] = now + watch.interval()
            ready = [file for file, _ in self._poll.poll(max(0.0, min(due) - time.monotonic()) * 1000)]
            if self._pipe in ready:
                self._life.glance()
                self._poll.unregister(self._pipe)
                if self._is_over() or self._ends_now():
                    return False
                # It closed all its files, as who makes itself a daemon does; or it runs another program.
                if self._life.is_replaced(_CELLS_NAME):
                    return True
            elif not self._life.lives():
                return False

    def _ends_now(self) -> bool:
        deadline = time.monotonic() + _EXIT_PATIENCE
        while self._life.lives():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        return True


class _Saver:
    """Saves the cells in a file."""

    def __init__(self, place: Path, cells: Cells) -> None:
        self._path = place / CELLS_FILE
        self._values = cells.values
        self._file = -1

    def interval(self) -> float:
        """Return the seconds until the next copy."""
        return SAVE_EVERY

    def look(self) -> None:
        """Save them now."""
        try:
            if self._file < 0:
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.pwrite(self._file, self._values, 0)
        except OSError:
            # A full disk; the next time it may not be.
            return


class _Guarded:
    """Looks with what may fail, until it has failed too often.

    Args:
        make: Makes what looks.
    """

    def __init__(self, make: Callable[[], _Watch]) -> None:
        self._make = make
        self._watch: _Watch | None = None
        self._failures = 0

    def interval(self) -> float:
        """Return the seconds until the next look."""
        if self._watch is None:
            return SAVE_EVERY
        try:
            return max(_SHORTEST, self._watch.interval())
        except Exception:
            self._failures += 1
            return SAVE_EVERY

    def look(self) -> None:
        """Look, unless it has failed too often."""
        if self._failures >= _MAX_FAILURES:
            self._watch = None
            return
        try:
            if self._watch is None:
                self._watch = self._make()
            self._watch.look()
        except Exception:
            self._failures += 1


class _Recovering:
    """Ends the runs of the same directory that nobody has ended, beside the watching: a file server may be slow."""

    def __init__(self, runs: Path) -> None:
        self._thread = threading.Thread(target=self._recover, args=(runs,), daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # No further thread is to be had; the next watchdog tries again.
            return

    def wait(self) -> None:
        """Wait until that is done, or has taken too long; what is half done is done again by the next one."""
        if self._thread.ident is not None:
            self._thread.join(_RECOVERY_PATIENCE)

    @staticmethod
    def _recover(runs: Path) -> None:
        for _ in recovery.recover(runs):
            pass


def _survive_memory() -> None:
    # Who says why a training was killed is not to be killed in its place. Without the right to, it stays as it is.
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write("-900")
    except OSError:
        return
