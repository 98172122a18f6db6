"""Step times with the noise of a real run: 655 of the demo on two cores, drawn anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

STRETCH = 20
"""Steps of a stretch in the mean: longer than the noise's own time of correlation, which is 11."""


def recorded() -> npt.NDArray[np.float64]:
    """The step times in seconds, without the first 20."""
    text = Path(__file__).with_name("demo_steps.json").read_text(encoding="utf-8")
    return np.array(json.loads(text)["microseconds"][20:]) / 1e6


def resampled(count: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw a series by the stationary bootstrap (Politis and Romano 1994), which keeps the noise's correlation."""
    held = recorded()
    found: list[npt.NDArray[np.float64]] = []
    while sum(map(len, found)) < count:
        start, length = random.integers(len(held)), random.geometric(1 / STRETCH)
        found.append(held[(start + np.arange(length)) % len(held)])
    return np.concatenate(found)[:count]
