"""How far the clocks of hosts are apart, so that spans of several hosts can be drawn on one line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

from ocr_otel import semconv
from ocr_otel.diagnosis.words import seconds
from ocr_otel.runs import RankRecord

HOST: Final = "host.name"


@dataclass(frozen=True, slots=True)
class Reading:
    """How far a host's clock is ahead of that of rank 0's host, and how sure that is; seconds."""

    offset: float
    error: float


@dataclass(frozen=True, slots=True)
class Clocks:
    """The clocks of a run's hosts.

    Attributes:
        hosts: Host of each rank; empty where unknown.
        readings: By host and epoch; rank 0's host has none.
    """

    hosts: dict[int, str]
    readings: dict[str, dict[int, Reading]]

    @classmethod
    def of(cls, ranks: Iterable[RankRecord]) -> Self:
        """Read what the ranks' epochs say."""
        hosts: dict[int, str] = {}
        found: dict[str, dict[int, list[Reading]]] = {}
        for each in ranks:
            hosts[each.rank] = str(each.resource.get(HOST, ""))
            for span in each.epochs:
                if semconv.CLOCK_OFFSET in span.attributes:
                    reading = Reading(span.number(semconv.CLOCK_OFFSET), abs(span.number(semconv.CLOCK_ERROR)))
                    epoch = int(span.number(semconv.EPOCH))
                    found.setdefault(hosts[each.rank], {}).setdefault(epoch, []).append(reading)
        return cls(hosts, {host: {epoch: _joined(all_) for epoch, all_ in by.items()} for host, by in found.items()})

    def ahead(self, rank: int, epoch: int) -> Reading | None:
        """Return how far a rank's clock was ahead in an epoch; None where it is rank 0's own, or was not compared.

        Clocks drift: of an epoch without a reading it is that of the nearest one.
        """
        host = self.hosts.get(rank, "")
        by_epoch = self.readings.get(host, {})
        if not by_epoch or host == self.hosts.get(0, ""):
            return None
        return by_epoch[min(by_epoch, key=lambda each: (abs(each - epoch), each))]

    def caption(self, ranks: Iterable[int], epoch: int) -> str:
        """Return what is to be said of the clocks beside spans of these ranks; empty where all are of one host."""
        first = self.hosts.get(0, "")
        foreign = {host: rank for rank in sorted(ranks, reverse=True) if (host := self.hosts.get(rank, "")) != first}
        return " ".join(_said(host, first, self.ahead(rank, epoch)) for host, rank in sorted(foreign.items()) if host)


def _joined(readings: list[Reading]) -> Reading:
    # Ranks of a host have one clock.
    return Reading(median(each.offset for each in readings), max(each.error for each in readings))


def _said(host: str, first: str, reading: Reading | None) -> str:
    if reading is None:
        return f"The clock of {host} was not compared with that of {first}: its spans stand where it says."
    moved, off = ("earlier", "ahead of") if reading.offset >= 0 else ("later", "behind")
    by = seconds(abs(reading.offset))
    error = f"give or take {seconds(reading.error)}"
    return f"Spans of {host} are drawn {by} {moved}: so much its clock is {off} that of {first}, {error}."
