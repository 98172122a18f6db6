"""The figures of an epoch that each rank leaves for rank 0, which is the one that tells others of them."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from time import monotonic
from typing import Any, Final

from ocr_otel.ranks.board import Board

LAST_FIGURES_WAIT: Final = 0.5
"""Seconds that rank 0 waits for the others at the end of an epoch, which ranks on GPUs leave a few steps apart."""
_POLL_SECONDS: Final = 0.002
_SLOTS: Final = 8
"""Notes of a rank that are there at most; the store does not grow."""


class EpochFigures:
    """One rank's part. As all else between ranks it uses no collective; see `Board`.

    Args:
        board: Where the ranks leave their notes.
        rank: This rank.
        world_size: Number of ranks.
    """

    def __init__(self, board: Board, rank: int, world_size: int) -> None:
        self._board = board
        self._rank = rank
        self._others = set(range(world_size)) - {rank}
        self._waits = True

    def bring_together(self, epoch: tuple[int, int], own: Mapping[str, float]) -> list[Mapping[str, float]]:
        """Leave this rank's figures; on rank 0 return them and those of the others.

        A rank that is not recorded or late is left out, and nobody is waited for until all are there again.

        Args:
            epoch: Number of the entry and of the epoch in it.
            own: This rank's.
        """
        try:
            if self._rank:
                self._board.leave(_name(epoch, self._rank), json.dumps([epoch, dict(own)]).encode())
                return []
            return [own, *self._of_others(epoch).values()]
        except RuntimeError:
            # The store is gone, and with it the others.
            return [own] if not self._rank else []

    def _of_others(self, epoch: tuple[int, int]) -> dict[int, Mapping[str, float]]:
        found: dict[int, Mapping[str, float]] = {}
        deadline = monotonic() + LAST_FIGURES_WAIT
        while True:
            missing = sorted(self._others - set(found))
            notes = self._board.read_all([_name(epoch, rank) for rank in missing])
            for rank, note in zip(missing, notes, strict=True):
                figures = _read(note, epoch)
                if figures is not None:
                    found[rank] = figures
            complete = len(found) == len(self._others)
            if complete or not self._waits or monotonic() >= deadline:
                self._waits = complete
                return found
            time.sleep(_POLL_SECONDS)


def _name(epoch: tuple[int, int], rank: int) -> str:
    return f"figures/{rank}/{epoch[1] % _SLOTS}"


def _read(note: bytes | None, epoch: tuple[int, int]) -> Mapping[str, float] | None:
    """Return the figures of a note; None where it is none, or of another epoch."""
    if note is None:
        return None
    try:
        of, figures = json.loads(note)
        values: dict[Any, Any] = dict(figures)
        return {str(name): float(value) for name, value in values.items()} if tuple(of) == epoch else None
    except (ValueError, TypeError):
        return None
