"""What goes over the socket: one line of JSON from the command, and lines of JSON back until it is over."""

from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from ocr_otel.profiling.requests import Progress, Request, Standing

PROTOCOL: Final = 1
"""Version of what is described here; who reads another one says so and does not guess."""
MAX_QUESTION_BYTES: Final = 4096
MAX_ANSWER_BYTES: Final = 1_048_576
MAX_BATCHES: Final = 100
"""As for the setting: a longer window makes a trace that nobody can open."""
_CHUNK: Final = 65_536
_CREDENTIALS: Final = struct.Struct("3i")


class ProtocolError(ValueError):
    """What came cannot be understood; the message says what and why."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the command sends.

    Attributes:
        protocol: Version of the protocol.
        ask: The window that is asked for; None to ask where the training is.
    """

    protocol: int = PROTOCOL
    ask: Request | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the training sends: one of the three.

    Attributes:
        protocol: Version of the protocol.
        standing: Where it is.
        progress: What became of the request so far.
        error: Why the question is not answered.
    """

    protocol: int = PROTOCOL
    standing: Standing | None = None
    progress: Progress | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Envelope:
    """What every version has."""

    protocol: int
    error: str = ""


_QUESTION: Final = TypeAdapter(Question)
_ANSWER: Final = TypeAdapter(Answer)
_ENVELOPE: Final = TypeAdapter(_Envelope)


def line(message: Question | Answer) -> bytes:
    """Return a message as it is sent."""
    adapter: TypeAdapter[Question] | TypeAdapter[Answer] = _QUESTION if isinstance(message, Question) else _ANSWER
    return adapter.dump_json(message) + b"\n"  # type: ignore[arg-type]


def question(raw: bytes) -> Question:
    """Return what the command asks.

    Raises:
        ProtocolError: It is none, of another version, or asks for what is not allowed.
    """
    try:
        version = _ENVELOPE.validate_json(raw).protocol
        if version != PROTOCOL:
            raise ProtocolError(_other_version("the command", version, "the training"))
        found = _QUESTION.validate_json(raw, strict=True)
    except ValidationError as error:
        raise ProtocolError(f"this is no question to a training: {_reason(error)}") from None
    asked = found.ask
    if asked is not None and asked.batches is not None and not 1 <= asked.batches <= MAX_BATCHES:
        raise ProtocolError(f"batches={asked.batches} is not allowed: 1 to {MAX_BATCHES}")
    if asked is not None and asked.at_step is not None and asked.at_step < 0:
        raise ProtocolError(f"at_step={asked.at_step} is not allowed: 0 or more")
    return found


def answer(raw: bytes) -> Answer:
    """Return what the training says.

    Raises:
        ProtocolError: It cannot be understood, or is of another version.
    """
    try:
        envelope = _ENVELOPE.validate_json(raw)
        if envelope.protocol != PROTOCOL:
            raise ProtocolError(envelope.error or _other_version("the training", envelope.protocol, "this command"))
        return _ANSWER.validate_json(raw, strict=True)
    except ValidationError as error:
        raise ProtocolError(f"the training's answer cannot be understood: {_reason(error)}") from None


def _other_version(speaker: str, version: int, reader: str) -> str:
    return (
        f"{speaker} speaks version {version} of the protocol and {reader} version {PROTOCOL}: "
        "use the same version of ocr_otel for both"
    )


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def peer_uid(connection: socket.socket) -> int:
    """Return the user at the other end, as the kernel knows it."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


class Lines:
    """Reads lines of bounded length from a socket.

    Args:
        connection: The socket.
        limit: Bytes that a line may have.
    """

    def __init__(self, connection: socket.socket, limit: int) -> None:
        self._connection = connection
        self._limit = limit
        self._rest = b""

    def read(self, seconds: float) -> bytes | None:
        """Return the next line, without its end; None where the other side has closed.

        Args:
            seconds: How long the whole line may take, so that nobody keeps a thread busy with a byte now and then.

        Raises:
            TimeoutError: It has not come in time.
            ProtocolError: It is too long.
            OSError: The connection is broken.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._rest:
            if len(self._rest) > self._limit:
                raise ProtocolError(f"a line has more than {self._limit} bytes")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._connection.settimeout(left)
            part = self._connection.recv(_CHUNK)
            if not part:
                return None
            self._rest += part
        found, _, self._rest = self._rest.partition(b"\n")
        if len(found) > self._limit:
            raise ProtocolError(f"a line has more than {self._limit} bytes")
        return found

    @property
    def waiting(self) -> bool:
        """Whether a whole line is here already."""
        return b"\n" in self._rest
