"""Finds the trainings that listen: by the sockets of this user, and by what they leave in a run directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control import client, places
from ocr_otel.profiling.control.card import CARD, Card
from ocr_otel.profiling.requests import Standing


@dataclass(frozen=True, slots=True)
class Training:
    """One rank of a training that answers.

    Attributes:
        socket: Where it listens.
        started: When its process began; see `machine.started`.
        standing: Where it is.
    """

    socket: Path
    started: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class Listening:
    """What was found on this machine.

    Attributes:
        trainings: Ranks that answered.
        problems: Why others could not be asked, a sentence each.
    """

    trainings: tuple[Training, ...]
    problems: tuple[str, ...]


def listening() -> Listening:
    """Ask all trainings of this user on this machine where they are."""
    trainings: list[Training] = []
    problems: list[str] = []
    for directory in places.directories():
        try:
            found = places.sockets(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            problems.append(str(error))
            continue
        for each in found:
            try:
                trainings.append(Training(each.path, each.started, client.standing(each.path)))
            except client.NobodyListens:
                continue
            except client.ControlError as error:
                problems.append(f"the training with process {each.pid} does not tell which run it is: {error}")
    return Listening(tuple(trainings), tuple(problems))


def cards_in(directory: Path) -> list[tuple[Path, Card]]:
    """Return the cards in a run directory and its folders of ranks, with where each lies.

    Raises:
        PermissionError: One may not be read.
    """
    parts = [directory, *directory.glob("rank-*")]
    found = [(part, cards.read(part)) for part in parts if (part / CARD).is_file()]
    return [(part, card) for part, card in found if card is not None]
