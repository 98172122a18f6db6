"""Finds the names in PromQL."""

from __future__ import annotations

import re
from typing import Final

WORDS: Final = frozenset({
    "and", "or", "unless", "by", "on", "ignoring", "bool", "sum", "max", "min", "avg", "count", "rate", "increase",
    "time", "timestamp", "scalar", "vector", "last_over_time", "histogram_quantile", "clamp_min",
})  # fmt: skip
"""Keywords and functions that the dashboards use."""

_TEXT: Final = re.compile(r'"[^"]*"')
_WINDOW: Final = re.compile(r"\[[^\]]*\]")
_LABELS: Final = re.compile(r"\b(?:by|on|ignoring)\s*\(([^)]*)\)")
_SELECTOR: Final = re.compile(r"\{([^}]*)\}")
_NAME: Final = re.compile(r"(?<![\w$.])[A-Za-z_:][\w:]*")


def metrics(expression: str) -> set[str]:
    """Return the metrics that an expression asks for."""
    rest = _LABELS.sub(" ", _SELECTOR.sub(" ", _WINDOW.sub(" ", _TEXT.sub('""', expression))))
    return set(_NAME.findall(rest)) - WORDS


def labels(expression: str) -> set[str]:
    """Return the labels that an expression selects, groups or joins by."""
    rest = _WINDOW.sub(" ", _TEXT.sub('""', expression))
    parts = [*_LABELS.findall(rest), *_SELECTOR.findall(rest)]
    return {name for part in parts for name in _NAME.findall(part)}


def variables(text: str) -> set[str]:
    """Return the variables in a text, without Grafana's own."""
    found = re.findall(r"\$(?:\{(\w+)(?:[:.][^}]*)?\}|(\w+))", text)
    return {name for pair in found for name in pair if name and not name.startswith("__")}
