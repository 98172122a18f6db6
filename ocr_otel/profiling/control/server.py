"""The training's side: a thread that waits for commands, and costs nothing while none comes."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from ocr_otel import __version__
from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control import places
from ocr_otel.profiling.control.card import Card
from ocr_otel.profiling.control.conversation import Conversation
from ocr_otel.profiling.control.places import Socket
from ocr_otel.profiling.control.protocol import PROTOCOL, Answer, line
from ocr_otel.profiling.requests import Windows

MAX_CLIENTS: Final = 32
"""Commands that are answered at the same time; each has a thread while it waits."""
STOP_SECONDS: Final = 1.0
"""How long the end of a training may wait for clients to take what they are told last."""
_RETRY_SECONDS: Final = 1.0
"""Pause where a connection cannot be accepted, such as for want of file descriptors."""
_FIRST_LINE_SECONDS: Final = 0.1


class ControlServer:
    """Lets the user of a training ask it for windows of the profiler; what fails here never reaches the training.

    Args:
        windows: The training.
        run_id: The run.
        rank: Global rank of this process.
        directory: The rank's run directory, in which a card is left that says where to ask; None where there is none:
            such a run is found by its id alone.
        failed: Takes a failure with its cause.
    """

    def __init__(
        self,
        windows: Windows,
        run_id: str,
        rank: int,
        directory: Path | None,
        failed: Callable[[str, Exception], None],
    ) -> None:
        self._windows = windows
        self._run_id = run_id
        self._rank = rank
        self._directory = directory
        self._failed = failed
        self._clear()
        _servers.add(self)

    def _clear(self) -> None:
        self._pid = 0
        self._listener: socket.socket | None = None
        self._socket: Socket | None = None
        self._card: Card | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._conversations: set[Conversation] = set()

    def start(self) -> None:
        """Begin to listen; does nothing where it listens already."""
        if self._thread is not None and self._pid == os.getpid():
            return
        self._clear()
        self._pid = os.getpid()
        try:
            self._listener, self._socket = places.listen()
            self._thread = threading.Thread(
                target=self._serve, args=(self._listener, self._stopping), name="ocr_otel-control", daemon=True
            )
            self._thread.start()
            if self._directory is not None:
                card = cards.of_this_process(PROTOCOL, __version__, self._run_id, self._rank, self._socket.path)
                cards.write(card, self._directory)
                self._card = card
        except Exception as error:
            # Without a card it is still found by its run id.
            self._failed("control", error)

    def stop(self) -> None:
        """Tell who still waits that the training is over, and remove the socket and the card.

        Does nothing in a process that was forked off the training.
        """
        if self._pid != os.getpid():
            return
        try:
            self._stop()
        except Exception as error:
            self._failed("control", error)
        finally:
            self._clear()

    def _stop(self) -> None:
        self._stopping.set()
        deadline = monotonic() + STOP_SECONDS
        if self._listener is not None:
            with contextlib.suppress(OSError):
                # Closing it would not wake the thread that waits for a connection.
                self._listener.shutdown(socket.SHUT_RDWR)
        conversations = list(self._conversations)
        for each in conversations:
            each.end()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        if self._listener is not None:
            self._listener.close()
        if self._socket is not None:
            self._socket.path.unlink(missing_ok=True)
        if self._card is not None and self._directory is not None:
            cards.remove(self._card, self._directory)
        for each in conversations:
            each.join(max(0.0, deadline - monotonic()))

    def _serve(self, listener: socket.socket, stopping: threading.Event) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno == errno.EBADF or stopping.wait(_RETRY_SECONDS):
                    return
                continue
            try:
                self._admit(connection)
            except Exception as error:
                connection.close()
                self._failed("control", error)

    def _admit(self, connection: socket.socket) -> None:
        if len(self._conversations) >= MAX_CLIENTS:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(_FIRST_LINE_SECONDS)
                connection.sendall(line(Answer(error=f"{MAX_CLIENTS} commands are being answered already")))
            return
        conversation = Conversation(connection, self._windows, self._failed, self._conversations.discard)
        self._conversations.add(conversation)
        conversation.start()

    def forget(self) -> None:
        """Close this process's copies of what the training has open; for a process that was forked off it."""
        if self._listener is not None:
            self._listener.close()
        for each in list(self._conversations):
            each.forget()


_servers: weakref.WeakSet[ControlServer] = weakref.WeakSet()


def _forget_in_child() -> None:
    # Otherwise a worker that outlives its killed training keeps a socket open on which nobody answers.
    for server in list(_servers):
        server.forget()


os.register_at_fork(after_in_child=_forget_in_child)
