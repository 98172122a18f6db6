"""`SIGUSR2`: asks for a window without a command, such as from where only a signal can be sent."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final

from ocr_otel.profiling.requests import Progress, Request, State, Windows
from ocr_otel.telemetry.failures import logger

SIGNAL: Final = signal.SIGUSR2
_STOP_SECONDS: Final = 1.0
"""How long the end of a training may wait for the thread, which is handing a request on at most."""


class RequestSignal:
    """Opens a window when the training's process gets `SIGUSR2`, where nobody else wants that signal.

    Args:
        windows: The training.
        failed: Takes a failure with its cause.
    """

    def __init__(self, windows: Windows, failed: Callable[[str, Exception], None]) -> None:
        self._windows = windows
        self._failed = failed
        self._pid = 0
        self._handler: Callable[[int, FrameType | None], Any] | None = None
        # A handler may interrupt the training anywhere, also where it holds a lock: putting into this queue takes none
        # and is allowed there; everything else is done by the thread that waits for it.
        self._asked: SimpleQueue[bool] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def install(self, reserved: int | None = None) -> bool:
        """Begin to take the signal, if it is free; to be called again does no harm.

        Args:
            reserved: A signal that others will use, though they may not have said so to Python yet.

        Returns:
            Whether it is ours.
        """
        if self._is_ours():
            return True
        free = reserved != SIGNAL and signal.getsignal(SIGNAL) is signal.SIG_DFL
        if not free or threading.current_thread() is not threading.main_thread():
            return False
        # Kept, for each look at a bound method makes a new one, and it is to be known again.
        self._handler = self._on_signal
        self._pid = os.getpid()
        self._asked = SimpleQueue()
        self._thread = threading.Thread(target=self._serve, args=(self._asked,), name="ocr_otel-signal", daemon=True)
        self._thread.start()
        signal.signal(SIGNAL, self._handler)
        return True

    def remove(self) -> None:
        """Give the signal back, if it is still ours and this is the process that took it."""
        if self._handler is None or self._pid != os.getpid():
            return
        if self._is_ours() and threading.current_thread() is threading.main_thread():
            signal.signal(SIGNAL, signal.SIG_DFL)
        self._handler = None
        self._asked.put(False)
        if self._thread is not None:
            # Who looks for threads that a training left behind finds none of ours.
            self._thread.join(_STOP_SECONDS)
            self._thread = None

    def _is_ours(self) -> bool:
        return self._handler is not None and signal.getsignal(SIGNAL) is self._handler

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked.put(True)

    def _serve(self, asked: SimpleQueue[bool]) -> None:
        while asked.get():
            try:
                self._windows.ask(Request(), _tell)
            except Exception as error:
                self._failed("control", error)


def _tell(progress: Progress) -> None:
    match progress.state:
        case State.REFUSED | State.FAILED:
            logger.warning("ocr_otel: no window for %s: %s", SIGNAL.name, progress.message)
        case State.DONE:
            logger.info("ocr_otel: the window for %s is in %s", SIGNAL.name, progress.trace)
