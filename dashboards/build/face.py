"""What every panel has: its texts, its unit, its thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.models.dashboard import (
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from dashboards.build.colors import CALM

Steps = Sequence[tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Face:
    """What every panel has.

    Attributes:
        title: Its title.
        description: What it shows, how to read it, and what to do.
        unit: Grafana's identifier of the unit.
        width: Columns, of 24.
        height: Rows of 30 pixels.
        base: Colour below the first threshold.
        steps: Thresholds: from this value on, that colour.
        empty: Shown where there is no data.
    """

    title: str
    description: str
    unit: str
    width: int = 12
    height: int = 8
    base: str = CALM
    steps: Steps = ()
    empty: str = "no data"


def value_map(mappings: Mapping[str, tuple[str, str]]) -> ValueMapping:
    """Return texts and colours of values."""
    return ValueMap(
        options={
            value: ValueMappingResult(text=text, color=color, index=index)
            for index, (value, (text, color)) in enumerate(mappings.items())
        }
    )


def thresholds(base: str, steps: Steps) -> dashboards.ThresholdsConfig:
    """Return thresholds: from each value on, its colour."""
    found = [Threshold(value=None, color=base), *(Threshold(value=value, color=color) for value, color in steps)]
    return dashboards.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(found)
