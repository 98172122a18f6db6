"""The report as one HTML file that needs no network: style, script and data are inside."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ocr_otel.report.build import UNFINISHED, build
from ocr_otel.report.card import cause_of, mark_of, parts_of
from ocr_otel.report.data import ReportData
from ocr_otel.report.drawn import PARTS, drawn
from ocr_otel.report.page import rendered
from ocr_otel.runs import Run

SLOWEST: Final = 8
"""Slowest kept batches in the table beside the plot."""
MEANING: Final = {
    "fetch": "waiting for data",
    "transfer": "host to device",
    "loop": "Lightning's own",
    "other": "set-up, start of workers",
}
"""The parts of the wall time whose names do not say it."""


def render(run: Run, out_path: Path) -> None:
    """Write the report of a run to a file.

    Raises:
        OSError: The file cannot be written.
    """
    out_path.write_text(page(build(run)), encoding="utf-8", errors="replace")


def page(data: ReportData) -> str:
    """Return the page."""
    slowest = sorted(enumerate(data.kept), key=lambda item: -item[1].seconds)[:SLOWEST]
    return rendered(
        "report.html.j2",
        drawn(data),
        ("plots.js", "report.js", "resources.js", "window.js", "start.js"),
        data=data,
        parts=parts_of(data.budget),
        names=PARTS,
        meaning=MEANING,
        cause=cause_of(data.verdict),
        mark=mark_of(data.verdict),
        unfinished=UNFINISHED,
        slowest=slowest,
        opened={row.trace_id: index for index, row in enumerate(data.kept)},
        began=_date(data.began),
        logged_columns=sorted({name for epoch in data.epochs for name in epoch.logged})[:4],
        groups=dict.fromkeys(plot.group for plot in data.resources.plots),
        overhead=sum(data.overhead.values()),
    )


def _date(unix: float) -> str:
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC" if unix else ""
    except (ValueError, OverflowError, OSError):
        return ""
