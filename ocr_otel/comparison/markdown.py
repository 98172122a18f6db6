"""A comparison as GitHub-flavoured Markdown, for a pull request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ocr_otel.comparison import words
from ocr_otel.comparison.data import Comparison, Outcome, Pair
from ocr_otel.report.gfm import code, folded, table, text

MAX_ROWS: Final = 40
"""Rows of a table; JSON and HTML have them all."""
_MARKS: Final = {Outcome.SLOWER: "🔴 ", Outcome.FASTER: "🟢 "}


def render(comparison: Comparison) -> str:
    """Return it."""
    parts = [part for pair in comparison.pairs for part in _pair(comparison, pair)]
    return "\n\n".join(filter(None, (*parts, text(words.rule(comparison))))) + "\n"


def _pair(comparison: Comparison, pair: Pair) -> list[str]:
    before, after = comparison.base.data.run_id, pair.run.data.run_id
    return [
        f"### {_MARKS.get(pair.outcome, '')}{code(after)} beside {code(before)}: {pair.outcome}",
        f"**{text(pair.sentence)}**",
        *(f"Note: {text(note)}" for note in pair.notes),
        _table(words.CHANGE_COLUMNS, [words.change_cells(each) for each in pair.changes]),
        _table(words.PHASE_COLUMNS, [words.phase_cells(each) for each in pair.phases]),
        _folded(
            "In numbers", words.QUANTITY_COLUMNS, [words.quantity_cells(each) for each in words.moved(pair.quantities)]
        ),
        _folded(
            "What differs",
            words.DIFFERENCE_COLUMNS,
            [words.difference_cells(each) for each in pair.differences],
        ),
        "\n".join(f"- {text(words.sample_sentence(*each))}" for each in ((before, pair.base), (after, pair.other))),
    ]


def _folded(title: str, columns: Sequence[str], rows: list[tuple[str, ...]]) -> str:
    return folded(f"{title} ({len(rows)})", _table(columns, rows)) if rows else ""


def _table(columns: Sequence[str], rows: list[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    cells = [[text(cell) for cell in row] for row in rows[:MAX_ROWS]]
    return table(columns, cells, [0 < place < 4 and len(columns) > 3 for place in range(len(columns))])
