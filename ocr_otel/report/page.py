"""What pages are made with: templates, their filters, and style, script and data inside the one file."""

from __future__ import annotations

import json
import secrets
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ocr_otel.diagnosis.words import duration
from ocr_otel.report.card import bound_of
from ocr_otel.report.quantities import quantity
from ocr_otel.report.window_line import marked

_REPORT: Final = "ocr_otel.report"
_POLICY: Final = (
    "default-src 'none'",
    "script-src 'nonce-{nonce}'",
    "script-src-attr 'none'",
    # Bars and points have their places and colours in attributes; a sheet of styles is ours alone.
    "style-src 'unsafe-inline'",
    "style-src-elem 'nonce-{nonce}'",
    "style-src-attr 'unsafe-inline'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "base-uri 'none'",
    "form-action 'none'",
)
"""What a page may do in a browser: run and look as this package says, and nothing else, above all no request."""


def rendered(
    template: str,
    payload: Any,
    scripts: tuple[str, ...],
    package: str = _REPORT,
    allowed: tuple[str, ...] = (),
    **values: Any,
) -> str:
    """Return a page that needs no network.

    Args:
        template: Name of its template.
        payload: What its script draws, as plain data.
        scripts: Names of its scripts, in the order in which they run.
        package: Whose templates and scripts may be named beside those of the report.
        allowed: Directives that its policy has beside those of the report.
        values: What the template shows.
    """
    nonce = secrets.token_urlsafe(16)
    return (
        _environment(package)
        .get_template(template)
        .render(
            payload=_script_json(payload),
            style=own("report.css", package),
            script=Markup("").join(own(name, package) for name in scripts),
            nonce=nonce,
            policy=Markup("; ".join((*_POLICY, *allowed)).format(nonce=nonce)),  # noqa: S704
            **values,
        )
    )


@cache
def _environment(package: str) -> Environment:
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each) for each in dict.fromkeys((package, _REPORT))]),
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
    return environment


@cache
def own(name: str, package: str) -> Markup:
    """Return a script or sheet of styles of a package, or of the report where that has none of the name."""
    # Files of these packages, and of nobody else.
    found = files(package) / "templates" / name
    file = found if found.is_file() else files(_REPORT) / "templates" / name
    return Markup(file.read_text(encoding="utf-8"))  # noqa: S704


def _script_json(value: Any) -> Markup:
    # Inside <script> only "</" and "<!--" can end or change the block; escaped, the text is still the same JSON.
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704
