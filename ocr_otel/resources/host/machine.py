"""CPU time and swapping of the whole host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from ocr_otel import semconv
from ocr_otel.resources.host.reading import Growth, read, read_or_none
from ocr_otel.resources.readings import Reading, Unavailable, series

_TICKS: Final = os.sysconf("SC_CLK_TCK")
# In the order of the first line of `/proc/stat`; what guests took is in `user` already.
_CPU: Final = tuple(
    series(semconv.SYSTEM_CPU_TIME, cpu_mode=mode)
    for mode in ("user", "nice", "system", "idle", "iowait", "interrupt", "interrupt", "steal")
)
_PAGED: Final = (
    (b"\npswpin ", series(semconv.SYSTEM_PAGING_OPERATIONS, system_paging_direction="in")),
    (b"\npswpout ", series(semconv.SYSTEM_PAGING_OPERATIONS, system_paging_direction="out")),
)


class MachineSource:
    """Reads what all processes of the host do together. One process of a host is enough to read it.

    Args:
        proc: Where procfs is.
    """

    name = "host"

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._growth = Growth()

    def open(self) -> None:
        """Read where the counters start.

        Raises:
            Unavailable: The host's numbers are hidden.
        """
        try:
            read(f"{self._proc}/stat")
        except OSError as error:
            raise Unavailable(f"{self._proc}/stat cannot be read: {error.strerror}") from error
        list(self.read())

    def read(self) -> Iterator[Reading]:
        """Yield the counters."""
        line = (read_or_none(f"{self._proc}/stat") or b"").partition(b"\n")[0].split()
        if line and line[0] == b"cpu":
            seconds = dict.fromkeys(_CPU, 0.0)
            for each, ticks in zip(_CPU, line[1:], strict=False):
                seconds[each] += int(ticks) / _TICKS
            for each, value in seconds.items():
                yield self._growth(each, value)
        content = read_or_none(f"{self._proc}/vmstat") or b""
        for name, each in _PAGED:
            at = content.find(name)
            if at >= 0:
                yield self._growth(each, int(content[at + len(name) :].split(None, 1)[0]))

    def close(self) -> None:
        """Nothing is held."""
