"""Serves the pages until it is interrupted."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import uvicorn

from ocr_otel.watch.app import App
from ocr_otel.watch.gate import LOOPBACK_NAMES, Gate
from ocr_otel.watch.library import Library
from ocr_otel.watch.token import token

if TYPE_CHECKING:
    from ocr_otel.watch.receiving import Receiver

_NICENESS: Final = 10
"""The training comes first where both want the same CPU."""
_ARENA_MAX: Final = -8
"""`M_ARENA_MAX` of glibc's malloc.h; a C library without it does as it did."""
_ANY: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104


class PortError(Exception):
    """The address cannot be listened on; the message says why."""


def serve(
    library: Library, host: str, port: int, ready: Callable[[str, str], None], receiver: Receiver | None = None
) -> None:
    """Serve until interrupted.

    Args:
        library: The runs.
        host: Address or name to listen on.
        port: Port; 0 for any that is free.
        ready: Called with the base address and the token, when a page can be opened.
        receiver: Takes what trainings send; None takes nothing.

    Raises:
        PortError: The address cannot be listened on.
    """
    listener = _listen(host, port)
    os.nice(_NICENESS)
    _save_memory()
    port = listener.getsockname()[1]
    secret = token()
    shown = socket.getfqdn() if host in _ANY else host
    gate = Gate(App(library, receiver).routes(), secret, _names(host), port)
    # An event stream has no end, so that a server that waits for its answers would not end either.
    config = uvicorn.Config(gate, log_level="warning", access_log=False, timeout_graceful_shutdown=1, lifespan="off")
    ready(f"http://{f'[{shown}]' if ':' in shown else shown}:{port}", secret)
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def is_loopback(host: str) -> bool:
    """Return whether an address is reached from this machine alone."""
    return host in LOOPBACK_NAMES


def _names(host: str) -> frozenset[str] | None:
    # Who listens on all addresses is asked for under names that are not known here; the token is what counts then.
    return None if host in _ANY else LOOPBACK_NAMES | {host.lower()}


def _save_memory() -> None:
    """Let all threads share one heap: each of their own keeps what a long run took while it was read."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise PortError(f"{host} is no address of this machine: {error.strerror or error}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise PortError(f"{host}:{port} cannot be listened on: {error.strerror or error}") from None
    return listener
