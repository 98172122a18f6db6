"""What the ranks of one run tell one another, and what follows from it: who waits for whom, and why."""

from ocr_otel.ranks.board import Board, board_of_job, board_of_process_group
from ocr_otel.ranks.epoch_figures import EpochFigures
from ocr_otel.ranks.exchange import Exchange, Figures, Told
from ocr_otel.ranks.straggling import Comparison, Straggler, compare
from ocr_otel.ranks.synchronisations import Synchronisations

__all__ = [
    "Board",
    "Comparison",
    "EpochFigures",
    "Exchange",
    "Figures",
    "Straggler",
    "Synchronisations",
    "Told",
    "board_of_job",
    "board_of_process_group",
    "compare",
]
