"""Asks the process of a run: whether it lives, where it is, and for a window of the profiler."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from ocr_otel.profiling.control import card as cards
from ocr_otel.profiling.control import client, finding, places
from ocr_otel.profiling.control.card import Card, Presence
from ocr_otel.profiling.control.protocol import PROTOCOL
from ocr_otel.profiling.requests import Progress, Request, State
from ocr_otel.runs import last_written, rank_directories
from ocr_otel.watch.now import Heard

_REMEMBERED: Final = 30
"""Answers that are kept, for the pace."""
PATIENCE_SECONDS: Final = 300.0
"""How long a window may tell nothing new: a batch may take long, and so may the reading of a trace."""


class Process:
    """The process of rank 0 of a run, as far as it can be reached from here.

    Args:
        directory: The run directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._steps: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)
        self._asked: Path | None = None

    def hear(self, time: float) -> Heard:
        """Ask it where it is; takes `client.ANSWER_SECONDS` at most.

        Args:
            time: Unix seconds.
        """
        written = last_written(rank_directories(self._directory)[:1])
        card = self._card()
        if card is None:
            return Heard(None, written)
        presence = cards.presence(card)
        here = {Presence.HERE: True, Presence.GONE: False}.get(presence)
        socket = self._socket(card)
        if presence is Presence.GONE or socket is None:
            return Heard(here, written)
        try:
            standing = client.standing(socket)
        except client.ControlError:
            return Heard(here, written)
        if socket != self._asked or (self._steps and standing.steps < self._steps[-1][1]):
            # Another process, or another entry of this one.
            self._steps.clear()
            self._asked = socket
        if standing.entry == "fit":
            self._steps.append((time, standing.steps))
        return Heard(True, written, tuple(self._steps), standing.batch_seconds, bool(standing.entry))

    def profile(self, tell: Callable[[Progress], None]) -> None:
        """Ask it for a window of the profiler, and say what becomes of it until it is over.

        Args:
            tell: Called with each change.
        """
        card = self._card()
        socket = self._socket(card) if card is not None else None
        if socket is None:
            tell(Progress(State.FAILED, message="the run takes no requests on this host"))
            return
        try:
            with closing(client.ask(socket, Request())) as call:
                for _, progress in client.follow({0: call}, PATIENCE_SECONDS):
                    tell(progress)
        except client.ControlError as error:
            tell(Progress(State.FAILED, message=str(error)))

    def _card(self) -> Card | None:
        try:
            found = finding.cards_in(self._directory)
        except OSError:
            return None
        return min((card for _, card in found), key=lambda card: card.rank, default=None)

    def _socket(self, card: Card) -> Path | None:
        # The card of somebody else's run directory leads to a socket of a training of this user, or nowhere.
        path = Path(card.socket)
        usable = card.protocol == PROTOCOL and places.is_place(path) and path.parent in places.directories()
        return path if usable and os.access(path, os.W_OK) else None
