"""Ports for a stack beside others on this machine."""

from __future__ import annotations

import random
import socket

from ocr_otel.stack.ports import ports, taken

_OFFSETS = range(200, 8400, 10)
"""Keeps every port below those that the system gives to connections."""


def free_offset() -> int:
    """An offset at which every port of a stack is free, of agent and gateway as well."""
    shuffled = random.sample(_OFFSETS, len(_OFFSETS))
    return next(offset for offset in shuffled if not taken(ports(team=True, offset=offset)))


def free_ports(number: int) -> list[int]:
    """So many ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    found: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found
