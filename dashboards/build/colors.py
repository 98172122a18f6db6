"""Colours: one for each part of the time, the same in all panels, and those of good, attention and bad.

The parts have the hues of the report. Grafana has a light and a dark theme and a dashboard one set of colours, so
that each of them stands out from both backgrounds (contrast of 3 or more, as WCAG asks of graphics).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocr_otel.semconv import Phase

VALIDATION: Final = "validation"
CHECKPOINT: Final = "checkpoint"

PARTS: Final[Mapping[str, str]] = {
    Phase.FETCH: "#d9622b",
    Phase.TRANSFER: "#b3881c",
    Phase.FORWARD: "#2f7ed1",
    Phase.BACKWARD: "#716bd6",
    Phase.COMMUNICATION: "#1695a3",
    Phase.OPTIMIZER: "#a85cc6",
    Phase.CALLBACKS: "#d0588f",
    Phase.LOOP: "#7d8592",
    VALIDATION: "#279a72",
    CHECKPOINT: "#71902a",
}
"""In the order in which they are stacked."""

# Grafana's own names: it draws them differently in its two themes.
CALM: Final = "blue"
GOOD: Final = "green"
ATTENTION: Final = "orange"
BAD: Final = "red"
