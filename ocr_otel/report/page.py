"""What pages are made with: templates, their filters, and style, script and data inside the one file."""

from __future__ import annotations

import json
import secrets
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ocr_otel.diagnosis.words import duration
from ocr_otel.report.card import bound_of
from ocr_otel.report.quantities import quantity
from ocr_otel.report.window_line import marked


def rendered(template: str, payload: Any, scripts: tuple[str, ...], **values: Any) -> str:
    """Return a page that needs no network.

    Args:
        template: Name of its template.
        payload: What its script draws, as plain data.
        scripts: Names of its scripts, in the order in which they run.
        values: What the template shows.
    """
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
        "bound": bound_of,
        "marked": lambda diagnosis: marked(diagnosis.verdict) if diagnosis is not None else (),
        "words": lambda name: str(name).replace("_", " "),
    }
    return environment.get_template(template).render(
        payload=_script_json(payload),
        style=_own("report.css"),
        script=Markup("").join(_own(name) for name in scripts),
        nonce=secrets.token_urlsafe(16),
        **values,
    )


def _own(name: str) -> Markup:
    return Markup((files("ocr_otel.report") / "templates" / name).read_text(encoding="utf-8"))


def _script_json(value: Any) -> Markup:
    # Inside <script> only "</" and "<!--" can end or change the block; escaped, the text is still the same JSON.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
