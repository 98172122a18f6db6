"""What a metric is called in Prometheus, which receives it over OTLP and translates its name."""

from __future__ import annotations

import re
from typing import Final

from ocr_otel.semconv.names import Name

_UNITS: Final = {
    "s": "seconds",
    "By": "bytes",
    "W": "watts",
    "J": "joules",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "ratio",
}
_PER: Final = {"s": "second"}


def prometheus_name(metric: Name) -> str:
    """Return the name under which Prometheus stores a metric; histograms add `_bucket`, `_sum` and `_count` to it.

    By Prometheus's strategy `UnderscoreEscapingWithSuffixes`, the default of its OTLP receiver: other characters
    become underscores, the unit is added, and `_total` to what only grows, `_ratio` to a gauge of unit 1.
    """
    words = re.sub(r"[^a-zA-Z0-9:]+", "_", metric.name).strip("_")
    unit, _, per = metric.unit.partition("/")
    for suffix in (_word(unit, metric.kind), f"per_{_PER.get(per, per)}" if per else ""):
        if suffix and suffix not in words.split("_") and not words.endswith(f"_{suffix}"):
            words += f"_{suffix}"
    if metric.kind == "counter" and not words.endswith("_total"):
        words += "_total"
    return words


def _word(unit: str, kind: str) -> str:
    if unit.startswith("{") or (unit == "1" and kind != "gauge"):
        return ""
    return _UNITS.get(unit, unit)
