"""The registry of documented names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCHEMA_VERSION: Final = "1"
"""Version of this vocabulary; it grows when a name changes its meaning or disappears."""

SCOPE: Final = "ocr_otel"
"""Name of the instrumentation scope of all spans and metrics."""


@dataclass(frozen=True, slots=True)
class Name:
    """One documented name.

    Attributes:
        name: The name as it travels in OTLP.
        kind: Span, attribute, event, or the instrument kind of a metric.
        unit: UCUM unit of a metric or of a numeric attribute; empty where there is none.
        meaning: One sentence for the reader of the documentation.
        present: When it is there and where its value comes from.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    present: str


SPANS: Final[dict[str, Name]] = {}
ATTRIBUTES: Final[dict[str, Name]] = {}
EVENTS: Final[dict[str, Name]] = {}
METRICS: Final[dict[str, Name]] = {}
RESOURCE_METRICS: Final[dict[str, Name]] = {}
"""Metrics of devices, processes and their host, read beside a training: `METRICS` are what the training itself did."""
FOREIGN_METRICS: Final[dict[str, Name]] = {}
"""Read by dashboards and alert rules; made by others."""


def all_metrics() -> dict[str, Name]:
    """Return every metric by name, whoever makes it."""
    return METRICS | RESOURCE_METRICS | FOREIGN_METRICS


def span(name: str, meaning: str, present: str) -> str:
    """Document a span's name."""
    SPANS[name] = Name(name, "span", "", meaning, present)
    return name


def attribute(name: str, kind: str, meaning: str, present: str, unit: str = "") -> str:
    """Document an attribute's name."""
    ATTRIBUTES[name] = Name(name, kind, unit, meaning, present)
    return name


def event(name: str, meaning: str, present: str) -> str:
    """Document an event's name."""
    EVENTS[name] = Name(name, "event", "", meaning, present)
    return name


def metric(name: str, kind: str, unit: str, meaning: str, present: str) -> str:
    """Document a metric's name."""
    METRICS[name] = Name(name, kind, unit, meaning, present)
    return name


def resource_metric(name: str, kind: str, unit: str, meaning: str, present: str) -> str:
    """Document the name of a metric of a device, a process or the host."""
    RESOURCE_METRICS[name] = Name(name, kind, unit, meaning, present)
    return name


def foreign_metric(name: str, kind: str, unit: str, meaning: str, present: str) -> str:
    """Document the name of a metric that is read and not made here."""
    FOREIGN_METRICS[name] = Name(name, kind, unit, meaning, present)
    return name
