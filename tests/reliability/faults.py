"""A TCP proxy that misbehaves on order, and behaves again."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from enum import Enum
from types import TracebackType
from typing import Self

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of no time: to close such a socket resets the connection."""


class Fault(Enum):
    """What the proxy does with connections and with what comes through them."""

    NONE = "none"
    REFUSED = "refused"
    """Nobody listens."""
    HANGS = "hangs"
    """Connections are taken, and nothing comes through."""
    SLOW = "slow"
    """A kilobyte a second comes through."""
    RESET_IN_REQUEST = "reset_in_request"
    """The connection is reset when a kilobyte of the request is through."""
    RESET_BEFORE_ANSWER = "reset_before_answer"
    """The receiver has the request, and its answer gets lost."""
    BROKEN_ANSWER = "broken_answer"
    """An answer of HTTP begins, and the connection is reset in the middle of it."""


class Proxy:
    """Passes connections on to a port of this machine; as a context manager it is started and stopped.

    Args:
        target: The port.

    Attributes:
        port: Its own.
        lost_answers: Answers that got lost on order.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._fault = Fault.NONE
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._stopped = False
        self.lost_answers = 0
        self._listener: socket.socket | None = self._listen(0)
        self.port = int(self._listener.getsockname()[1])
        self.endpoint = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        self._close_listener()
        self._drop_connections()

    def set(self, fault: Fault) -> None:
        """Misbehave so from now on; what is connected is dropped first."""
        self._fault = fault
        if fault is Fault.REFUSED:
            self._close_listener()
        self._drop_connections()
        if fault is not Fault.REFUSED and self._listener is None:
            self._listener = self._listen(self.port)
            threading.Thread(target=self._accept, daemon=True).start()

    def heal(self) -> None:
        """Behave again."""
        self.set(Fault.NONE)

    def _listen(self, port: int) -> socket.socket:
        return socket.create_server(("127.0.0.1", port), backlog=64)

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # A thread that waits in accept() keeps the socket open until it is woken.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _drop_connections(self) -> None:
        with self._lock:
            dropped, self._connections = self._connections, set()
        for connection in dropped:
            _reset(connection)

    def _accept(self) -> None:
        while (listener := self._listener) is not None and not self._stopped:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(client)
            if self._fault is not Fault.HANGS:
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        fault = self._fault
        if fault is Fault.BROKEN_ANSWER:
            with contextlib.suppress(OSError):
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf")
            _reset(client)
            return
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            _reset(client)
            return
        with self._lock:
            self._connections.add(server)
        threading.Thread(target=self._pump, args=(client, server, fault, True), daemon=True).start()
        self._pump(server, client, fault, False)

    def _pump(self, source: socket.socket, sink: socket.socket, fault: Fault, is_request: bool) -> None:
        passed = 0
        size = 256 if fault in (Fault.SLOW, Fault.RESET_IN_REQUEST) else 65536
        with contextlib.suppress(OSError):
            while data := source.recv(size):
                if fault is Fault.SLOW and is_request:
                    time.sleep(len(data) / 1000)
                if fault is Fault.RESET_BEFORE_ANSWER and self._is_answer(data, is_request):
                    self.lost_answers += 1
                    break
                sink.sendall(data)
                passed += len(data)
                if fault is Fault.RESET_IN_REQUEST and is_request and passed >= 1000:
                    break
        for each in (source, sink):
            _reset(each)

    def _is_answer(self, data: bytes, is_request: bool) -> bool:
        # The receiver's first bytes over HTTP/2 are settings, and acknowledgements of what it got; an answer has more.
        return not is_request and (data.startswith(b"HTTP/1.1 200") or b"grpc-status" in data or b"\x01\x04" in data)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        connection.close()
