"""Pressure: time in which the training's tasks waited for CPU, disk or memory, as the kernel counts it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Final

from ocr_otel import semconv
from ocr_otel.resources.host import cgroups
from ocr_otel.resources.host.reading import Growth, read
from ocr_otel.resources.readings import Reading, Unavailable, series

RESOURCES: Final = ("cpu", "io", "memory")


def parse_pressure(content: bytes) -> dict[str, float]:
    """Return the seconds by kind, `some` and `full`, of a pressure file."""
    found = {}
    for line in content.decode().splitlines():
        kind, _, rest = line.partition(" ")
        _, total, microseconds = rest.rpartition("total=")
        if total and microseconds.isdigit():
            found[kind] = int(microseconds) / 1e6
    return found


class PressureSource:
    """Reads pressure stall information of the cgroup that the process is in, or else of the host.

    Args:
        proc: Where procfs is.
    """

    name = "pressure"

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._growth = Growth()
        self.files: dict[str, str] = {}

    def open(self) -> None:
        """Choose a file for each resource.

        Raises:
            Unavailable: The kernel has none, or does not let it be read.
        """
        directory = cgroups.unified(self._proc)
        refused: OSError | None = None
        for resource in RESOURCES:
            own = [f"{directory}/{resource}.pressure"] if directory else []
            for path in (*own, f"{self._proc}/pressure/{resource}"):
                try:
                    if parse_pressure(read(path)):
                        self.files[resource] = path
                        break
                except OSError as error:
                    refused = error
        if not self.files:
            raise Unavailable(_why(refused))
        list(self.read())

    def read(self) -> Iterator[Reading]:
        """Yield the counters of each resource that can be read."""
        for resource, path in self.files.items():
            try:
                seconds = parse_pressure(read(path))
            except OSError:
                continue
            if resource == "cpu" and path.startswith(self._proc):
                # The kernel has no meaning for it on a host and says 0.
                seconds.pop("full", None)
            for kind, total in seconds.items():
                yield self._growth(series(semconv.PRESSURE_TIME, resource=resource, kind=kind), total)

    def close(self) -> None:
        """Nothing is held."""


def _why(error: OSError | None) -> str:
    if error is None:
        return "the kernel's pressure files say nothing"
    if error.errno == errno.EOPNOTSUPP:
        return "the kernel has pressure stall information switched off"
    if isinstance(error, PermissionError):
        return "/proc/pressure may not be read here"
    return "the kernel has no pressure stall information, or the container hides /proc/pressure"
