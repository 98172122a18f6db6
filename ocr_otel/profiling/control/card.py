"""`control.json` in the run directory of a rank: where its training listens, for a command that knows the run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from ocr_otel.private import private_opener, write_private
from ocr_otel.profiling.control.machine import Machine, started, this_machine

CARD: Final = "control.json"
_MAX_BYTES: Final = 65_536


@dataclass(frozen=True, slots=True)
class Card:
    """What a training leaves in its run directory while it listens.

    Attributes:
        protocol: Version of the protocol that it speaks.
        version: Version of ocr_otel.
        run_id: The run.
        rank: Its global rank.
        pid: Its process.
        started: When that began; see `machine.started`.
        machine: Where it runs.
        socket: Path of its socket.
    """

    protocol: int
    version: str
    run_id: str
    rank: int
    pid: int
    started: int
    machine: Machine
    socket: str


class Presence(Enum):
    """What can be known of a card's process without asking it."""

    HERE = auto()
    """It runs on this machine."""
    MAYBE = auto()
    """This machine, but a container whose processes are not seen."""
    ELSEWHERE = auto()
    """Another host."""
    GONE = auto()
    """It is dead: killed, or ended without cleaning up."""


_ADAPTER: Final = TypeAdapter(Card)


def write(card: Card, directory: Path) -> None:
    """Write a card into a run directory, whole or not at all.

    Raises:
        OSError: It cannot be written.
    """
    write_private(directory / CARD, _ADAPTER.dump_json(card, indent=1) + b"\n")


def remove(card: Card, directory: Path) -> None:
    """Remove a card, unless a later training has put its own there."""
    if read(directory) == card:
        (directory / CARD).unlink(missing_ok=True)


def read(directory: Path) -> Card | None:
    """Return the card in a run directory; None where there is none that can be understood.

    Raises:
        PermissionError: It may not be read.
    """
    try:
        with open(directory / CARD, "rb", opener=private_opener) as file:
            return _ADAPTER.validate_json(file.read(_MAX_BYTES))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None


def owner(directory: Path) -> int:
    """Return the number of the user who wrote the card in a run directory."""
    return (directory / CARD).stat().st_uid


def presence(card: Card, here: Machine | None = None) -> Presence:
    """Return where a card's process is.

    Args:
        card: The card.
        here: This machine, where it is known already.
    """
    here = here or this_machine()
    there = card.machine
    if there.boot != here.boot:
        # The same host after a boot: nothing of before is left.
        return Presence.GONE if there.host == here.host else Presence.ELSEWHERE
    if there.pids != here.pids:
        return Presence.MAYBE
    return Presence.HERE if started(card.pid) == card.started else Presence.GONE


def of_this_process(protocol: int, version: str, run_id: str, rank: int, socket: Path) -> Card:
    """Return the card of this process."""
    pid = os.getpid()
    return Card(protocol, version, run_id, rank, pid, started(pid) or 0, this_machine(), str(socket))
