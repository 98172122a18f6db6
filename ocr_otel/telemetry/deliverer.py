"""A thread that delivers, so that the training can stop waiting for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from ocr_otel.redaction import redact

logger: Final = logging.getLogger("ocr_otel")


class Deliverer:
    """Runs what is handed over, one after the other, in a daemon thread.

    The thread is started with the session: from Python 3.12 on none can be started while the interpreter exits, which
    is when the last delivery is due.
    """

    def __init__(self) -> None:
        self._actions: SimpleQueue[tuple[Callable[[], None], threading.Event]] = SimpleQueue()
        threading.Thread(target=self._run, name="ocr_otel-deliverer", daemon=True).start()

    def hand_over(self, action: Callable[[], None]) -> threading.Event:
        """Let an action run; return the event that is set when it has ended."""
        done = threading.Event()
        self._actions.put((action, done))
        return done

    def _run(self) -> None:
        while True:
            action, done = self._actions.get()
            try:
                action()
            except Exception as error:
                logger.warning(
                    "ocr_otel: telemetry could not be delivered: %s: %s", type(error).__name__, redact(str(error))
                )
            finally:
                done.set()
