"""One client of the training: who it is, what it asks, and what it is told, in a thread of its own."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from ocr_otel.profiling.control import protocol
from ocr_otel.profiling.control.places import user_name
from ocr_otel.profiling.control.protocol import Answer, Lines, ProtocolError
from ocr_otel.profiling.requests import Progress, Request, State, Windows

LINE_SECONDS: Final = 5.0
"""A command sends its line at once, and takes what it is sent; who does not is cut off."""
LOOK_SECONDS: Final = 1.0
"""How often it is looked whether the client is still there while there is nothing to tell it."""
ENDED: Final = "the training ended before the window was done"


class Conversation:
    """Answers one client.

    Args:
        connection: The connection, which this closes.
        windows: The training.
        failed: Takes a failure with its cause.
        over: Called when it is over.
    """

    def __init__(
        self,
        connection: socket.socket,
        windows: Windows,
        failed: Callable[[str, Exception], None],
        over: Callable[[Conversation], None],
    ) -> None:
        self._connection = connection
        self._windows = windows
        self._failed = failed
        self._over = over
        # What is told comes from the training's thread, which must not wait for a slow client.
        self._news: SimpleQueue[Progress | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ocr_otel-control-client", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def end(self) -> None:
        """Tell the client, behind what it is still to be told, that the training is over."""
        self._news.put(None)

    def join(self, seconds: float) -> None:
        """Wait until it is over."""
        self._thread.join(seconds)

    def forget(self) -> None:
        """Close this process's copy of the connection; for a process that was forked off the training."""
        self._connection.close()

    def _run(self) -> None:
        try:
            with self._connection:
                self._converse()
        except OSError:
            # The client went away; the window opens all the same.
            return
        except Exception as error:
            self._failed("control", error)
        finally:
            self._over(self)

    def _converse(self) -> None:
        try:
            raw = Lines(self._connection, protocol.MAX_QUESTION_BYTES).read(LINE_SECONDS)
            if raw is None:
                return
            if protocol.peer_uid(self._connection) not in (os.geteuid(), 0):
                self._say(Answer(error=f"this training belongs to the user {user_name(os.geteuid())}"))
                return
            asked = protocol.question(raw)
        except ProtocolError as error:
            self._say(Answer(error=str(error)))
            return
        except TimeoutError:
            self._say(Answer(error=f"no whole line came within {LINE_SECONDS:.0f} s"))
            return
        try:
            if asked.ask is None:
                self._say(Answer(standing=self._windows.standing()))
            else:
                self._follow(asked.ask)
        except OSError:
            raise
        except Exception as error:
            self._say(Answer(error=f"the training could not take it: {type(error).__name__}: {error}"))
            raise

    def _follow(self, request: Request) -> None:
        self._windows.ask(request, self._news.put)
        while True:
            try:
                progress = self._news.get(timeout=LOOK_SECONDS)
            except Empty:
                if self._client_left():
                    return
                continue
            if progress is None:
                progress = Progress(State.FAILED, message=ENDED)
            self._say(Answer(progress=progress))
            if progress.over:
                return

    def _client_left(self) -> bool:
        self._connection.setblocking(False)
        try:
            return not self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False

    def _say(self, answer: Answer) -> None:
        self._connection.settimeout(LINE_SECONDS)
        self._connection.sendall(protocol.line(answer))
