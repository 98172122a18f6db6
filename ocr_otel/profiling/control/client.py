"""The command's side of the socket: asks where a training is, and for a window."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ocr_otel.profiling.control import protocol
from ocr_otel.profiling.control.places import user_name
from ocr_otel.profiling.control.protocol import Answer, Lines, ProtocolError, Question
from ocr_otel.profiling.requests import Progress, Request, Standing, State

ANSWER_SECONDS: Final = 5.0
"""A training answers where it is at once, from a thread of its own, also while a batch takes minutes."""

_AGAIN_SECONDS: Final = 0.02


class ControlError(Exception):
    """A training cannot be asked, or does not answer; the message says why."""


class NobodyListens(ControlError):
    """There is no training behind a socket any more."""


class Silence(ControlError):
    """A training has not told anything new for too long."""


class Call:
    """A question to a training, and its answers.

    Args:
        path: Its socket.
        question: What is asked.

    Raises:
        ControlError: It cannot be asked.
    """

    def __init__(self, path: Path, question: Question) -> None:
        self._path = path
        self._connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._connection.settimeout(ANSWER_SECONDS)
            self._connect()
            uid = protocol.peer_uid(self._connection)
            if os.geteuid() not in (uid, 0):
                raise ControlError(f"behind {path} is a process of the user {user_name(uid)}")
            with contextlib.suppress(BrokenPipeError):
                # Who is refused before asking finds the reason in the answer.
                self._connection.sendall(protocol.line(question))
        except (ConnectionRefusedError, FileNotFoundError):
            self._connection.close()
            raise NobodyListens(f"nobody listens at {path}") from None
        except (OSError, ControlError) as error:
            self._connection.close()
            if isinstance(error, ControlError):
                raise
            reason = "it does not answer" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise ControlError(f"the training at {path} cannot be asked: {reason}") from None
        self._lines = Lines(self._connection, protocol.MAX_ANSWER_BYTES)

    def _connect(self) -> None:
        # Where many wait to be accepted, a Unix socket with a timeout does not wait for it but fails.
        deadline = time.monotonic() + ANSWER_SECONDS
        while True:
            try:
                self._connection.connect(str(self._path))
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError from None
                time.sleep(_AGAIN_SECONDS)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor, on which `selectors` may wait."""
        return self._connection.fileno()

    def close(self) -> None:
        """Hang up; what was asked for happens all the same."""
        self._connection.close()

    @property
    def waiting(self) -> bool:
        """Whether an answer is here already."""
        return self._lines.waiting

    def answer(self) -> Answer:
        """Return the next answer.

        Raises:
            ControlError: None comes, or one that cannot be understood, or the training says why it does not answer.
        """
        try:
            raw = self._lines.read(ANSWER_SECONDS)
            if raw is None:
                raise NobodyListens("the training ended, or was killed, before it answered")
            found = protocol.answer(raw)
        except TimeoutError:
            raise Silence(f"the training has not answered within {ANSWER_SECONDS:.0f} s") from None
        except ConnectionError:
            raise NobodyListens("the training ended, or was killed, before it answered") from None
        except (OSError, ProtocolError) as error:
            raise ControlError(str(error)) from None
        if found.error:
            raise ControlError(found.error)
        return found


def standing(path: Path) -> Standing:
    """Ask where a training is.

    Raises:
        ControlError: It cannot be asked or does not answer.
    """
    with Call(path, Question()) as call:
        found = call.answer().standing
    if found is None:
        raise ControlError("the training does not say where it is")
    return found


def ask(path: Path, request: Request) -> Call:
    """Ask a training for a window; `follow` says what becomes of it.

    Raises:
        ControlError: It cannot be asked.
    """
    return Call(path, Question(ask=request))


def follow(calls: Mapping[int, Call], patience: float) -> Iterator[tuple[int, Progress]]:
    """Yield each rank's progress as it comes, until all are over; one that ends without an answer has failed.

    Args:
        calls: What was asked, by rank.
        patience: Seconds without anything new after which it is given up.

    Raises:
        Silence: Nothing new came.
    """
    with selectors.DefaultSelector() as selector:
        for rank, call in calls.items():
            selector.register(call, selectors.EVENT_READ, rank)
        deadline = time.monotonic() + patience
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Silence(f"the training has told nothing new for {patience:g} s")
            for key, _ in ready:
                call = calls[key.data]
                over = False
                try:
                    for progress in _all_of(call):
                        over = progress.over
                        yield key.data, progress
                except ControlError as error:
                    over = True
                    yield key.data, Progress(State.FAILED, message=str(error))
                if over:
                    selector.unregister(call)
            deadline = time.monotonic() + patience


def _all_of(call: Call) -> Iterator[Progress]:
    more = True
    while more:
        progress = call.answer().progress
        if progress is None:
            raise ControlError("the training's answer says nothing of a window")
        yield progress
        more = call.waiting and not progress.over
