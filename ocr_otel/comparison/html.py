"""A comparison as one HTML file that needs no network, in the frame of the report's page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np

from ocr_otel.comparison import words
from ocr_otel.comparison.data import Comparison, Measured, Outcome, Pair
from ocr_otel.private import write_private
from ocr_otel.report.page import rendered

BINS: Final = 60
MAX_DRAWN: Final = 6
"""Runs that are drawn; more curves cannot be told apart."""
_EDGE: Final = 0.5
"""Percentile, at both ends, beyond which step times share the outermost bins: one hiccup would press the rest flat."""
_BANNERS: Final = {Outcome.SLOWER: "limited", Outcome.FASTER: "", Outcome.SAME: "calm", Outcome.UNKNOWN: "calm"}


def render(comparison: Comparison, path: Path, private: bool = False) -> None:
    """Write the page.

    Args:
        comparison: What is shown.
        path: The file.
        private: Whether it lies in a run directory: it is then for its owner alone, and a link of its name is replaced
            and not followed.

    Raises:
        OSError: It cannot be written.
    """
    page = rendered(
        "comparison.html.j2",
        drawn(comparison),
        ("plots.js", "comparison.js", "start.js"),
        comparison=comparison,
        words=words,
        banners=_BANNERS,
        rows=[_rows(pair) for pair in comparison.pairs],
    )
    if private:
        write_private(path, page, errors="replace")
    else:
        path.write_text(page, encoding="utf-8", errors="replace")


def _rows(pair: Pair) -> dict[str, list[tuple[str, ...]]]:
    return {
        "changes": [words.change_cells(each) for each in pair.changes],
        "phases": [words.phase_cells(each) for each in pair.phases],
        "quantities": [words.quantity_cells(each) for each in pair.quantities],
        "differences": [words.difference_cells(each) for each in pair.differences],
    }


def drawn(comparison: Comparison) -> dict[str, Any]:
    """Return what the script draws: the share of each run's step times in bins that all runs have in common."""
    runs = [run for run in (comparison.base, *(pair.run for pair in comparison.pairs)) if len(run.steps)][:MAX_DRAWN]
    if not runs:
        return {"edges": [], "runs": []}
    low = min(float(np.percentile(run.steps.seconds, _EDGE)) for run in runs)
    high = max(float(np.percentile(run.steps.seconds, 100 - _EDGE)) for run in runs)
    low = max(low, 1e-6)
    edges = np.geomspace(low, max(high, low * 1.01), BINS + 1)
    return {"edges": [_short(each) for each in edges], "runs": [_run(run, edges) for run in runs]}


def _run(run: Measured, edges: Any) -> dict[str, Any]:
    seconds = np.clip(run.steps.seconds, edges[0], edges[-1])
    shares = np.histogram(seconds, edges)[0] / len(seconds)
    return {
        "name": run.data.run_id,
        "shares": [_short(each) for each in shares],
        "median": _short(float(np.median(run.steps.seconds))),
        "p95": _short(float(np.percentile(run.steps.seconds, 95))),
    }


def _short(value: float) -> float:
    return float(f"{value:.6g}")
