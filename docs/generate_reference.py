"""Fills the pages `reference.md` and `settings.md` from `semconv` and `settings.py` when the site is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ocr_otel import semconv
from ocr_otel.semconv import Name
from ocr_otel.settings import markdown_table

REFERENCE = "<!-- reference -->"
SETTINGS = "<!-- settings -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for each page."""
    return markdown.replace(REFERENCE, reference()).replace(SETTINGS, markdown_table())


def reference() -> str:
    """Return the tables of all names."""
    parts = (
        ("Spans", semconv.SPANS.values()),
        ("Metrics", semconv.METRICS.values()),
        ("Metrics of devices, processes and the host", semconv.RESOURCE_METRICS.values()),
        ("Metrics of others that dashboards and alerts read", semconv.FOREIGN_METRICS.values()),
        ("Attributes", semconv.ATTRIBUTES.values()),
        ("What experiment trackers are given", semconv.TRACKED.values()),
        ("Events", semconv.EVENTS.values()),
    )
    return "\n\n".join(f"## {title}\n\n{_table(names)}" for title, names in parts)


def _table(names: Iterable[Name]) -> str:
    rows = ["| name | kind, unit | meaning | present |", "| --- | --- | --- | --- |"]
    rows += [
        f"| `{each.name}` | {', '.join(filter(None, (each.kind, each.unit)))} | {each.meaning} | {each.present} |"
        for each in names
    ]
    return "\n".join(rows)
