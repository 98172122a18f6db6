"""Several ranks of a Trainer: what they tell one another while it trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ocr_otel.ranks import Exchange, Told, board_of_process_group
from ocr_otel.recording import Recorder
from ocr_otel.training.collectives import CollectivesSeam
from ocr_otel.training.guard import Parts
from ocr_otel.training.profiler_seam import Contexts

_PART = "ranks"


class TrainingRanks:
    """The seam and the exchange of one entry; see `recording.recorder.Ranks`.

    Args:
        seam: Sees when this rank waits for others.
        exchange: Tells the others; None where they cannot be compared.
        parts: Guards it.
    """

    def __init__(self, seam: CollectivesSeam, exchange: Exchange | None, parts: Parts) -> None:
        self._seam = seam
        self._exchange = exchange
        self._parts = parts

    def training_begins(self) -> None:
        """The model is wrapped now."""
        self._seam.training_begins()

    def loop_begins(self, entry: int, loop: int) -> None:
        """An epoch begins."""
        exchange = self._exchange
        if exchange is not None:
            self._parts.attempt(_PART, lambda: exchange.loop_begins(entry, loop))

    def beside(self, told: Told) -> None:
        """Tell and learn what there is, beside the training."""
        exchange = self._exchange
        if exchange is not None:
            self._parts.attempt(_PART, lambda: exchange.beside(told))

    def loop_ends(self, told: Told) -> Mapping[str, Any]:
        """Return what is known at the end of an epoch, as attributes."""
        exchange = self._exchange
        if exchange is None:
            return {}
        return self._parts.attempt(_PART, lambda: exchange.loop_ends(told)) or {}

    def remove(self) -> None:
        """Leave the strategy as it was."""
        self._seam.remove()


def ranks_of(trainer: Any, recorder: Recorder, contexts: Contexts, parts: Parts) -> TrainingRanks | None:
    """Return the ranks of a Trainer; None where there is one alone.

    Args:
        trainer: The Trainer.
        recorder: Records the entry.
        contexts: The contexts of its actions.
        parts: Guards them.
    """
    identity = recorder.session.identity
    if identity.world_size < 2:
        return None
    # A GPU's collectives are asked for and not waited for: the host's times say nothing of who is late.
    board = board_of_process_group() if trainer.strategy.root_device.type == "cpu" else None
    figures = recorder.instruments.of_rank
    exchange = Exchange(board, identity.rank, identity.world_size, figures) if board is not None else None
    seam = CollectivesSeam(
        trainer.strategy, contexts, exchange.synchronisations if exchange is not None else None, parts.failed
    )
    return TrainingRanks(seam, exchange, parts)
