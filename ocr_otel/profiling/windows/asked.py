"""Windows that somebody asked for: from the thread of who asks to the training's, and the answers back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

from ocr_otel.profiling.requests import Progress, Request, State

Tell = Callable[[Progress], None]

_FIRST_POKE_SECONDS: Final = 0.0005
_LAST_POKE_SECONDS: Final = 0.05


class Ask:
    """One request and who is to be told."""

    def __init__(self, request: Request, tell: Tell) -> None:
        self.request = request
        self._tell = tell
        self.taken = False

    def tell(self, progress: Progress) -> None:
        """Tell who asked; one that went away is nothing to the training."""
        try:
            self._tell(progress)
        except Exception:
            return


class Mailbox:
    """Takes requests in any thread, even in a signal handler, and makes the training thread look.

    Args:
        poke: Makes the training thread look at the end of the batch that runs. It may be lost to a race with the
            batch path, which takes no lock, so that it is repeated until the request is taken.
    """

    def __init__(self, poke: Callable[[], None]) -> None:
        self._poke = poke
        self._incoming: deque[Ask] = deque()

    def put(self, request: Request, tell: Tell) -> None:
        """Leave a request."""
        ask = Ask(request, tell)
        ask.tell(Progress(State.WAITING))
        self._incoming.append(ask)
        threading.Thread(target=self._repeat, args=(ask,), name="ocr_otel-window-asked", daemon=True).start()

    def take(self) -> list[Ask]:
        """Return what has come since the last time."""
        taken = []
        while self._incoming:
            ask = self._incoming.popleft()
            ask.taken = True
            taken.append(ask)
        return taken

    def _repeat(self, ask: Ask) -> None:
        pause = _FIRST_POKE_SECONDS
        waiting = threading.Event()
        while not ask.taken:
            self._poke()
            waiting.wait(pause)
            pause = min(_LAST_POKE_SECONDS, pause * 1.5)
