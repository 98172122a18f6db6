"""Pieces of GitHub-flavoured Markdown in which text from a run is only ever text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

MAX_TEXT: Final = 400
"""Characters of a sentence or cell: a comment of a pull request holds 65,536 in all."""
_JOINER: Final = "\u2060"
"""A character without width. GitHub makes links of names, issues and addresses after it has read entities and escapes:
only a character between keeps it from that."""
_LINKED: Final = re.compile(r"(?i)@|#(?=\w)|:(?=//)|\bwww(?=\.)|\bgh(?=-\d)")
_MARKUP: Final = re.compile(r"[\\`*_\[\]|~$]")
_HTML: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def text(value: object) -> str:
    """Return text without markup, HTML, mentions, links or ends of cells in it, on one line."""
    linkless = _LINKED.sub(lambda found: found[0] + _JOINER, _line(value))
    return _MARKUP.sub(lambda found: f"\\{found[0]}", linkless).translate(_HTML)


def code(value: object) -> str:
    """Return a name as code, also inside a table; empty for nothing."""
    line = _line(value).replace("|", "\\|")
    if not line:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", line)), default=0) + 1)
    return f"{fence} {line} {fence}" if "`" in line else f"{fence}{line}{fence}"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], numeric: Sequence[bool]) -> str:
    """Return a table of cells that are Markdown already.

    Args:
        columns: Headings.
        rows: Cells of each row.
        numeric: For each column, whether it holds numbers, which stand at the right.
    """
    lines = [columns, ["---:" if each else "---" for each in numeric], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def folded(summary: str, *parts: str) -> str:
    """Return parts that are seen when their summary, which is plain text, is clicked."""
    # Between the tags Markdown is not read, and its escapes would be seen.
    shown = _LINKED.sub(lambda found: found[0] + _JOINER, _line(summary)).translate(_HTML)
    return "\n\n".join((f"<details><summary>{shown}</summary>", *parts, "</details>"))


def _line(value: object) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in str(value)).split())
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"
