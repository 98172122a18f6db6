"""The report as one HTML file that needs no network: style, script and data are inside."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ocr_otel.private import write_private
from ocr_otel.report.build import UNFINISHED, build
from ocr_otel.report.card import cause_of, mark_of, parts_of
from ocr_otel.report.data import ReportData
from ocr_otel.report.drawn import PARTS, drawn
from ocr_otel.report.page import rendered
from ocr_otel.report.ranks import MAX_ROWS, Step, latest
from ocr_otel.runs import Run

SCRIPTS: Final = ("plots.js", "report.js", "waterfall.js", "ranks.js", "resources.js", "window.js", "start.js")
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
    """Write the report of a run to a file; in the run's directory for its owner alone, and never through a link.

    Raises:
        OSError: The file cannot be written.
    """
    text = page(build(run))
    if out_path.parent.resolve() == Path(run.directory).resolve():
        write_private(out_path, text, errors="replace")
    else:
        out_path.write_text(text, encoding="utf-8", errors="replace")


def page(data: ReportData) -> str:
    """Return the page."""
    return rendered("report.html.j2", drawn(data), SCRIPTS, **shown(data))


def shown(data: ReportData) -> dict[str, Any]:
    """Return what the template of the page shows."""
    return {
        "data": data,
        "parts": parts_of(data.budget),
        "names": PARTS,
        "meaning": MEANING,
        "cause": cause_of(data.verdict, data.budget),
        "mark": mark_of(data.verdict, data.budget),
        "unfinished": UNFINISHED,
        "slowest": sorted(enumerate(data.kept), key=lambda item: -item[1].seconds)[:SLOWEST],
        "opened": {row.trace_id: index for index, row in enumerate(data.kept)},
        "began": _date(data.began),
        "logged_columns": sorted({name for epoch in data.epochs for name in epoch.logged})[:4],
        "groups": dict.fromkeys(plot.group for plot in data.resources.plots),
        "overhead": sum(data.overhead.values()),
        "listed": latest(data.ranks, MAX_ROWS),
        "worst": _worst(data),
    }


@dataclass(frozen=True, slots=True)
class Worst:
    """The step at which the ranks waited longest: the rank they waited for, how long, and its waterfall's index."""

    step: Step
    rank: int
    seconds: float
    opened: int


def _worst(data: ReportData) -> Worst | None:
    heat = data.straggling.heat
    opened = {row.trace_id: index for index, row in enumerate(data.kept)}
    steps = [step for step in heat.steps if step.trace_id in opened] if heat is not None else []
    found = [(max(step.delays.items(), key=lambda item: item[1]), step) for step in steps]
    (rank, seconds), step = max(found, key=lambda item: item[0][1], default=((0, 0.0), None))
    return Worst(step, rank, seconds, opened[step.trace_id]) if step is not None else None


def _date(unix: float) -> str:
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC" if unix else ""
    except (ValueError, OverflowError, OSError):
        return ""
