"""The report as one HTML file that needs no network: Plotly's code and the data are inside."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from ocr_otel.report.build import build
from ocr_otel.report.card import cause_of, duration, parts_of
from ocr_otel.report.plots import COLOURS, figures
from ocr_otel.runs import Run
from ocr_otel.semconv import Bottleneck

_LISTED: Final = 12
"""Slowest kept batches in the table beside the plot."""


def render(run: Run, out_path: Path) -> None:
    """Write the report of a run to a file.

    Raises:
        OSError: The file cannot be written.
    """
    data = build(run)
    environment = Environment(
        loader=PackageLoader("ocr_otel.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["duration"] = duration
    environment.filters["percent"] = lambda share: f"{share:.0%}"
    slowest = sorted(enumerate(data.kept), key=lambda item: -item[1].seconds)[:_LISTED]
    page = environment.get_template("report.html.j2").render(
        data=data,
        parts=parts_of(data.budget),
        colours=COLOURS,
        cause=cause_of(data.verdict),
        limited=data.verdict is not None and data.verdict.kind not in (Bottleneck.NONE, Bottleneck.COMPUTE),
        slowest=slowest,
        figures=list(figures(data)),
        payload=_script_json(
            {
                "figures": figures(data),
                "batches": [asdict(batch) for batch in data.kept],
                "colours": COLOURS,
            }
        ),
        plotly=Markup(get_plotlyjs().replace("</script", "<\\/script")),
        nonce=secrets.token_urlsafe(16),
        overhead=sum(data.overhead.values()),
    )
    out_path.write_text(page, encoding="utf-8")


def _script_json(value: Any) -> Markup:
    # Inside <script> only "</" and "<!--" can end or change the block; escaped, the text is still the same JSON.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
