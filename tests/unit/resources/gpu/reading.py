"""Reads GPUs as a training does, and keeps what came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ocr_otel.resources.gpu.source import GpuSource, Which
from ocr_otel.resources.readings import Series

Short = tuple[str, str, str]
"""A metric, the device's name, and what else tells the series apart."""

_SHARED = {"hw.id", "hw.name", "hw.model", "hw.vendor", "hw.type", "hw.parent"}


def short(series: Series) -> Short:
    attributes = dict(series.attributes)
    rest = [str(value) for name, value in series.attributes if name not in _SHARED]
    return series.metric, str(attributes["hw.name"]), " ".join(rest)


class Reader:
    """A source, and what it hands over."""

    def __init__(self, which: Which = "all") -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.samples: list[tuple[float, Mapping[str, str]]] = []
        self.source = GpuSource(
            which,
            lambda name, attributes: self.events.append((name, attributes)),
            lambda value, attributes: self.samples.append((value, attributes)),
        )

    def read(self) -> dict[Short, float]:
        readings = list(self.source.read())
        found = {short(series): value for series, value in readings}
        assert len(found) == len(readings), "a series was read twice"
        return found


@contextmanager
def opened(which: Which = "all") -> Iterator[Reader]:
    reader = Reader(which)
    reader.source.open()
    try:
        yield reader
    finally:
        reader.source.close()
