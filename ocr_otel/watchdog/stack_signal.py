"""Lets the watchdog ask this process for its Python stacks, with a signal that nobody else uses."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from pathlib import Path
from typing import Final

_FIRST: Final = 9
"""Real-time signals in front of it are left to others: C libraries and debuggers count from the beginning."""

_taken: tuple[int, int] | None = None
"""The signal and the file, here and in forked children, which inherit the handler."""


def register(path: Path, thread: int | None = None) -> bool:
    """Let threads of this process and of its forked children write their stacks into a file when they get a signal.

    The first line of the file says which signal. Any thread may call it; again, for another file. The handler of
    `faulthandler` for crashes, and its timer, are other ones and stay as they are.

    Args:
        path: The file, made anew for its owner alone.
        thread: Native id of the thread that trains; the main thread if None.

    Returns:
        Whether there was a free signal.

    Raises:
        OSError: The file cannot be made.
    """
    number = _taken[0] if _taken is not None and _is_free(_taken[0]) else _find_free()
    if number is None:
        return False
    trains = thread if thread is not None else threading.main_thread().native_id or os.getpid()
    # Appending: forked workers write into it too, and the watchdog empties it.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.write(file, f"signal {number} thread {trains}\n".encode())
    _take(number, file)
    return True


def renew() -> None:
    """Take the signal again where somebody has put back what was there before.

    Lightning does so at the end of each entry, with all signals that Python knows.
    """
    if _taken is None or _used("SigCgt") >> (_taken[0] - 1) & 1:
        return
    number, file = _taken
    # `register` alone would only change the file of what it believes to be there.
    faulthandler.unregister(number)
    faulthandler.register(number, file, all_threads=False, chain=False)


def unregister() -> None:
    """Write no more stacks.

    The signal stays ours and does nothing: without a handler it would kill the process, and the watchdog may be about
    to send it.
    """
    if _taken is not None:
        _take(_taken[0], os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))


def _take(number: int, file: int) -> None:
    global _taken
    try:
        # Only the stack of the thread that gets it: to read those of others may crash a process that is busy
        # (python/cpython#116008).
        faulthandler.register(number, file, all_threads=False, chain=False)
    except BaseException:
        os.close(file)
        raise
    before, _taken = _taken, (number, file)
    if before is not None:
        os.close(before[1])


def _find_free() -> int | None:
    """Return a real-time signal that is neither caught nor ignored, neither through Python nor behind its back."""
    used = _used("SigCgt", "SigIgn")
    numbers = range(signal.SIGRTMIN + _FIRST, signal.SIGRTMAX + 1)
    return next((number for number in numbers if not used >> (number - 1) & 1 and _is_free(number)), None)


def _used(*masks: str) -> int:
    """Return the signals of this process that are in one of the masks of its status."""
    found = 0
    for line in Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key in masks:
            found |= int(value, 16)
    return found


def _is_free(number: int) -> bool:
    return signal.getsignal(number) in (signal.SIG_DFL, None)
