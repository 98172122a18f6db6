"""A comparison in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocr_otel.comparison import words
from ocr_otel.comparison.data import Comparison, Outcome, Pair
from ocr_otel.report.card import printable
from ocr_otel.report.text import PIPE_WIDTH

MAX_ROWS: Final = 30
"""Rows of a table; JSON and HTML have them all."""
MAX_CELL: Final = 60
_STYLES: Final = {Outcome.SLOWER: "bold red", Outcome.FASTER: "bold green", Outcome.UNKNOWN: "bold yellow"}


def render(comparison: Comparison, file: TextIO) -> None:
    """Print it."""
    console = Console(file=file, highlight=False, width=None if file.isatty() else PIPE_WIDTH)
    for pair in comparison.pairs:
        _pair(console, comparison, pair)
    _say(console, words.rule(comparison), "dim")


def _pair(console: Console, comparison: Comparison, pair: Pair) -> None:
    before, after = comparison.base.data.run_id, pair.run.data.run_id
    _say(console, f"{after} beside {before}", "bold")
    _say(console, pair.sentence, _STYLES.get(pair.outcome, "bold"))
    for note in pair.notes:
        _say(console, f"Note: {note}", "yellow")
    for columns, rows in (
        (words.CHANGE_COLUMNS, [words.change_cells(each) for each in pair.changes]),
        (words.PHASE_COLUMNS, [words.phase_cells(each) for each in pair.phases]),
        (words.QUANTITY_COLUMNS, [words.quantity_cells(each) for each in words.moved(pair.quantities)]),
        (words.DIFFERENCE_COLUMNS, [words.difference_cells(each) for each in pair.differences]),
    ):
        if rows:
            console.print(_table(columns, rows[:MAX_ROWS]))
        if len(rows) > MAX_ROWS:
            console.print(f"({len(rows) - MAX_ROWS} more)")
    for name, sample in ((before, pair.base), (after, pair.other)):
        _say(console, words.sample_sentence(name, sample), "dim")


def _say(console: Console, sentence: str, style: str) -> None:
    console.print(Text(printable(sentence), style))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if 0 < place < 4 and columns[3:] else "left")
    for row in rows:
        table.add_row(*(Text(printable(_cut(cell))) for cell in row))
    return table


def _cut(cell: str) -> str:
    return cell if len(cell) <= MAX_CELL else f"{cell[: MAX_CELL - 1]}…"
