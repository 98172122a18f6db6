"""What is read, and from where: the plain data between sources, time line and instruments."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, Protocol


class Series(NamedTuple):
    """One series of a metric.

    Attributes:
        metric: The metric's name, one of `semconv.RESOURCE_METRICS`.
        attributes: Names and values of its attributes, sorted by name.
    """

    metric: str
    attributes: tuple[tuple[str, str | int], ...] = ()


Reading = tuple[Series, float]
"""A value as the metric has it: a gauge's at this moment, a counter's since its source was opened."""


@cache
def series(metric: str, **attributes: str | int) -> Series:
    """Return a series, made once; an underscore in an attribute's name stands for a dot."""
    return Series(metric, tuple(sorted((name.replace("_", "."), value) for name, value in attributes.items())))


class Unavailable(Exception):
    """A source has nothing to read on this machine; the message says why, in one line for `ocr-otel doctor`."""


class Source(Protocol):
    """A place that readings come from. All of it is called in the thread of one sampler.

    Attributes:
        name: Short name, for messages and as the cause of a counted failure.
    """

    name: str

    def open(self) -> None:
        """Prepare to read.

        Raises:
            Unavailable: There is nothing to read here.
        """

    def read(self) -> Iterable[Reading]:
        """Read once. What is not there now has no reading; it never has a zero in its place."""

    def close(self) -> None:
        """Give back what is held. Called after `open`, also where that failed."""
