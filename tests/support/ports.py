"""Ports for a stack beside others on this machine."""

from __future__ import annotations

import random

from ocr_otel.stack.ports import ports, taken

_OFFSETS = range(200, 8400, 10)
"""Keeps every port below those that the system gives to connections."""


def free_offset() -> int:
    """An offset at which every port of a stack is free, of agent and gateway as well."""
    shuffled = random.sample(_OFFSETS, len(_OFFSETS))
    return next(offset for offset in shuffled if not taken(ports(team=True, offset=offset)))
