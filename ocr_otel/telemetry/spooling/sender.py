"""Sends the lines of one signal in their order: from memory while all goes well, else from the disk."""

from __future__ import annotations

import logging
import math
import os
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from ocr_otel.spool import Position, Signal, SpoolFull, Store
from ocr_otel.telemetry.spooling.accounts import Accounts
from ocr_otel.telemetry.spooling.couriers import Answer, Courier, Later, Refused
from ocr_otel.telemetry.spooling.encoding import encoding

logger: Final = logging.getLogger("ocr_otel")

_IN_MEMORY: Final = 32
"""Requests that are kept in memory too; those behind them are read from the disk."""
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
"""Seconds between two tries, which double in between."""
_LOOK_SECONDS: Final = 5.0
"""Others append too, such as the watchdog of a training that hangs; nothing tells of it."""
_JITTER: Final = random.SystemRandom()
"""Keeps the ranks of a run from coming back all at once."""
_LONGEST_ASKED: Final = 3600.0
"""Seconds that a receiver may ask to wait."""


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that waits.

    Attributes:
        data: What the SDK handed over; None where it is read from the disk.
        message: The protobuf message; None until it is needed.
        items: Spans, metric points or log records.
        start: Where its line begins.
        after: Where its line ends: at its beginning where the disk did not take it.
        unwritten: Why the disk did not take it, cause and detail; None where it did.
    """

    data: Any
    message: Any
    items: int
    start: Position
    after: Position
    unwritten: tuple[str, str] | None = None


class Sender:
    """The thread that sends one signal. It is started at once, as none can be while the interpreter exits.

    Args:
        signal: What it sends.
        store: Where the lines are.
        accounts: Counts what is lost.

    Raises:
        RuntimeError: The thread cannot be started.
    """

    def __init__(self, signal: Signal, store: Store, accounts: Accounts) -> None:
        self._signal = signal
        self._store = store
        self._accounts = accounts
        self._encoding = encoding(signal)
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._queue: deque[_Request] = deque()
        self._courier: Courier | None = None
        self._make: Callable[[], Courier | None] | None = None
        """Makes the courier when there is something to send and nobody has attached one."""
        self._is_attached = False
        self._closed = False
        self._away = False
        """Whether the receiver did not take the last request."""
        self._tries = 0
        self._next_try = 0.0
        self._is_asked = False
        """Whether the receiver asked for the wait."""
        self._thread = threading.Thread(target=self._run, name=f"ocr_otel-{signal}-sender", daemon=True)
        self._thread.start()

    def attach(self, courier: Courier) -> bool:
        """Begin to send.

        Returns:
            False where it sends already, by another courier that was attached.
        """
        with self._changed:
            if self._is_attached:
                return False
            made, self._courier, self._make, self._is_attached = self._courier, courier, None, True
            self._changed.notify_all()
        if made is not None:
            made.close()
        return True

    def offer(self, make: Callable[[], Courier | None]) -> None:
        """Make a courier when there is something to send, unless one is attached before."""
        with self._changed:
            if not self._is_attached:
                self._make = make
                self._changed.notify_all()

    def take(self, data: Any) -> bool:
        """Take data over: write it to the disk, and have it sent. Nobody waits for the network.

        Returns:
            Whether it was taken over. What is lost after that is counted.
        """
        if os.getpid() != self._pid:
            return True
        items = self._encoding.count(data)
        if not items:
            return True
        try:
            line = self._encoding.line(data)
        except Exception as error:
            self._accounts.lose(self._signal, items, "export_error", f"{type(error).__name__}: {error}")
            return True
        with self._changed:
            if self._closed:
                return False
            start, after, unwritten = self._write(line)
            if not self._away and len(self._queue) < _IN_MEMORY:
                self._queue.append(_Request(data, None, items, start, after, unwritten))
            elif unwritten is not None:
                self._accounts.lose(self._signal, items, *unwritten)
            self._changed.notify_all()
        return True

    def _write(self, line: bytes) -> tuple[Position, Position, tuple[str, str] | None]:
        try:
            return *self._store.append(self._signal, line), None
        except SpoolFull as error:
            unwritten = "spool_full", str(error)
        except OSError as error:
            unwritten = "spool_failed", f"{self._store.directory} cannot be written: {error.strerror or error}"
        end = self._store.end(self._signal)
        return end, end, unwritten

    def hurry(self) -> None:
        """Try again at once, unless the receiver asked for a wait."""
        with self._changed:
            self._tries = 0
            if not self._is_asked:
                self._next_try = 0.0
            self._changed.notify_all()

    def wait(self, ends: float) -> bool:
        """Wait until all is sent.

        Args:
            ends: When to give up, in the time of `time.monotonic`.

        Returns:
            Whether all is sent.
        """
        with self._changed:
            idle = self._changed.wait_for(lambda: self._closed or self._is_idle(), max(0.0, ends - monotonic()))
            return bool(idle) and self._is_idle()

    def close(self) -> None:
        """Send nothing more; the answer to the request under way still counts."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Give up the request under way, and what the disk did not take."""
        with self._changed:
            self._forget_queue()
        if self._courier is not None:
            self._courier.close()

    def join(self, ends: float) -> None:
        """Wait for the thread, at most until `ends`, in the time of `time.monotonic`."""
        self._thread.join(max(0.0, ends - monotonic()))

    def _is_idle(self) -> bool:
        return not self._queue and self._store.acknowledged(self._signal) == self._store.end(self._signal)

    def _run(self) -> None:
        # As the SDK's own threads do: what is sent here is nobody's request.
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        while self._wait_for_work():
            try:
                request = self._next()
                if request is not None:
                    self._settle(request, self._send(request))
            except Exception as error:
                self._put_off(Later(f"{type(error).__name__}: {error}", math.inf))

    def _wait_for_work(self) -> bool:
        with self._changed:
            while not self._closed:
                if self._courier is None and self._make is None:
                    self._changed.wait()
                elif self._is_idle():
                    if not self._changed.wait(_LOOK_SECONDS):
                        self._store.discover()
                elif (seconds := self._next_try - monotonic()) > 0:
                    self._changed.wait(seconds)
                else:
                    return True
        return False

    def _next(self) -> _Request | None:
        """Return the first request that is not acknowledged, without its message where it is in memory."""
        with self._changed:
            here = self._store.acknowledged(self._signal)
            while self._queue and self._queue[0].start < here:
                self._queue.popleft()
            if self._queue and self._queue[0].start == here:
                return self._queue[0]
        line = self._store.read(self._signal)
        if line is None:
            with self._changed:
                self._changed.notify_all()
            return None
        # It takes a quarter of a second to import, which most processes never need.
        from ocr_otel.otlp import protobuf

        try:
            message = protobuf.parse_line(self._signal, line.content)
        except ValueError as error:
            self._acknowledge(line.after)
            self._accounts.lose(self._signal, 0, "damaged", f"a line of the spool cannot be read: {error}")
            return None
        return _Request(None, message, protobuf.count(message), line.start, line.after)

    def _send(self, request: _Request) -> Answer:
        message = request.message
        if message is None:
            try:
                message = self._encoding.to_protobuf(request.data)
            except Exception as error:
                return Refused(f"it does not fit OTLP/protobuf: {error}")
        courier = self._ready_courier()
        return courier.send(message) if courier is not None else Later("there is no exporter for it", math.inf)

    def _ready_courier(self) -> Courier | None:
        with self._changed:
            if self._courier is None and self._make is not None:
                self._courier, self._make = self._make(), None
            return self._courier

    def _settle(self, request: _Request, answer: Answer) -> None:
        if isinstance(answer, Later):
            self._put_off(answer)
            return
        if isinstance(answer, Refused):
            self._accounts.lose(self._signal, request.items, "refused", answer.reason)
        elif answer.rejected:
            self._accounts.lose(self._signal, answer.rejected, "rejected", answer.reason or "the receiver says no more")
        self._acknowledge(request.after, request)

    def _acknowledge(self, after: Position, request: _Request | None = None) -> None:
        with self._changed:
            if self._queue and self._queue[0] is request:
                self._queue.popleft()
            self._store.acknowledge(self._signal, after)
            self._away = False
            self._tries, self._next_try, self._is_asked = 0, 0.0, False
            self._changed.notify_all()

    def _put_off(self, answer: Later) -> None:
        with self._changed:
            if self._closed:
                return
            self._forget_queue()
            self._away = True
            wait = min(_FIRST_WAIT * 2**self._tries, _LONGEST_WAIT) * _JITTER.uniform(0.8, 1.2)
            self._is_asked = answer.wait is not None and answer.wait < math.inf
            if answer.wait is not None:
                wait = min(answer.wait, _LONGEST_ASKED) if self._is_asked else _LONGEST_WAIT
            self._tries = min(self._tries + 1, 10)
            self._next_try = monotonic() + wait
            self._changed.notify_all()
        self._accounts.say_away(answer.reason, self._store.directory)
        logger.debug("ocr_otel: %s wait %.1f s: %s", self._signal, wait, answer.reason)

    def _forget_queue(self) -> None:
        for each in self._queue:
            if each.unwritten is not None:
                self._accounts.lose(self._signal, each.items, *each.unwritten)
        self._queue.clear()
