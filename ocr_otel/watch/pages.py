"""The pages: the report of a run with what it does now on top, and the list of runs."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from ocr_otel.report import html
from ocr_otel.report.drawn import PARTS, drawn
from ocr_otel.report.page import own, rendered
from ocr_otel.watch.followed import Followed
from ocr_otel.watch.library import Library

_PACKAGE: Final = "ocr_otel.watch"
_ALLOWED: Final = ("connect-src 'self'",)
"""What a page may do beside a report: ask the server that it came from."""


def address(name: str) -> str:
    """Return the path of a run's page."""
    return f"/runs/{quote(name, safe='')}"


def of_run(followed: Followed, name: str, listed: bool, fresh: bool = False) -> str:
    """Return the page of a run.

    Args:
        followed: The run.
        name: Its name.
        listed: Whether there is a list to go back to.
        fresh: Whether it is for a page that is open already, which has style and script.
    """
    data = followed.report()
    return rendered(
        "fresh.html.j2" if fresh else "run.html.j2",
        drawn(data) | {"version": followed.version},
        (*html.SCRIPTS, "common.js", "run.js"),
        _PACKAGE,
        _ALLOWED,
        extra_style=own("watch.css", _PACKAGE),
        path=address(name),
        back=listed,
        sampled=followed.sampled,
        **html.shown(data),
    )


def of_list(library: Library) -> str:
    """Return the list of runs; its lines come as events."""
    return rendered(
        "list.html.j2",
        {"parts": PARTS},
        ("plots.js", "common.js", "list.js"),
        _PACKAGE,
        _ALLOWED,
        extra_style=own("watch.css", _PACKAGE),
        directory=library.runs_dir.name or str(library.runs_dir),
    )
