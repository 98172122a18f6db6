"""The report as one HTML file that needs no network: style, script and data are inside."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ocr_otel.report.build import UNFINISHED, build
from ocr_otel.report.card import cause_of, duration, parts_of
from ocr_otel.report.data import ReportData
from ocr_otel.report.drawn import PARTS, drawn
from ocr_otel.report.quantities import quantity
from ocr_otel.runs import Run
from ocr_otel.semconv import Bottleneck

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
    environment = Environment(
        loader=PackageLoader("ocr_otel.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "duration": duration,
        "percent": lambda share: f"{share:.0%}",
        "count": "{:,}".format,
        "quantity": quantity,
    }
    slowest = sorted(enumerate(data.kept), key=lambda item: -item[1].seconds)[:SLOWEST]
    return environment.get_template("report.html.j2").render(
        data=data,
        parts=parts_of(data.budget),
        names=PARTS,
        meaning=MEANING,
        cause=cause_of(data.verdict),
        limited=data.verdict is not None and data.verdict.kind not in (Bottleneck.NONE, Bottleneck.COMPUTE),
        unfinished=UNFINISHED,
        slowest=slowest,
        began=_date(data.began),
        logged_columns=sorted({name for epoch in data.epochs for name in epoch.logged})[:4],
        payload=_script_json(drawn(data)),
        style=_own("report.css"),
        script=_own("report.js") + _own("resources.js"),
        groups=dict.fromkeys(plot.group for plot in data.resources.plots),
        nonce=secrets.token_urlsafe(16),
        overhead=sum(data.overhead.values()),
    )


def _date(unix: float) -> str:
    try:
        return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC" if unix else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _own(name: str) -> Markup:
    return Markup((files("ocr_otel.report") / "templates" / name).read_text(encoding="utf-8"))


def _script_json(value: Any) -> Markup:
    # Inside <script> only "</" and "<!--" can end or change the block; escaped, the text is still the same JSON.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
