"""What rank 0 knows of the others' synchronisations in the loop that runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ocr_otel.ranks.notes import Report
from ocr_otel.ranks.straggling import Comparison, compare
from ocr_otel.ranks.synchronisations import Integers
from ocr_otel.semconv import Phase

WINDOW: Final = 1024
"""Synchronisations that are compared, the last ones: enough for a quartile, few enough to follow a change."""
SILENT_AFTER: Final = 3
"""Rounds without a report after which a rank is no longer compared."""


@dataclass(slots=True)
class _Known:
    """A rank, of which `end` synchronisations are known, the last of them in the arrays."""

    host: str
    phases: dict[Phase, float]
    waits: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    left: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    end: int = 0
    over: bool = False
    silent: int = 0

    def add(self, report: Report) -> None:
        if report.first != self.end:
            # Some were missed: what is from before the gap stands beside nothing.
            self.waits = self.left = np.zeros(0, dtype=np.int64)
        self.waits = np.concatenate([self.waits, report.waits])[-2 * WINDOW :]
        self.left = np.concatenate([self.left, report.left])[-2 * WINDOW :]
        self.end = report.first + len(report.waits)
        self.phases = {phase: seconds / max(1, report.batches) for phase, seconds in report.phases.items()}
        self.over = report.over
        self.silent = 0


class History:
    """The loop that runs.

    Args:
        loop: Number of the entry and of the loop in it.

    Attributes:
        last: By rank: steps at which it arrived last, so far.
        compared: Steps that were compared so far.
    """

    def __init__(self, loop: tuple[int, int]) -> None:
        self.loop = loop
        self.last: dict[int, int] = {}
        self.compared: int = 0
        self._ranks: dict[int, _Known] = {}
        self._until = 0

    def add(self, rank: int, report: Report) -> None:
        """Take a rank's report; one of another loop is left."""
        if report.loop == self.loop:
            self._ranks.setdefault(rank, _Known(report.host, {})).add(report)

    def over(self, ranks: set[int]) -> bool:
        """Return whether the loop is over on all of some ranks."""
        return all(rank in self._ranks and self._ranks[rank].over for rank in ranks)

    def round(self) -> None:
        """Say that all reports that are there were added: who has not reported for some rounds is left out."""
        for known in self._ranks.values():
            known.silent += not known.over

    def compare(self) -> Comparison | None:
        """Compare the ranks that report; None where there is too little."""
        spoken = {rank: known for rank, known in sorted(self._ranks.items()) if known.silent < SILENT_AFTER}
        if len(spoken) < 2:
            return None
        end = min(known.end for known in spoken.values())
        begin = max(end - WINDOW, max(known.end - len(known.waits) for known in spoken.values()))
        if end <= begin:
            return None
        waits = np.stack([_part(known.waits, known.end, begin, end) for known in spoken.values()]) / 1e9
        first = next(iter(spoken.values()))
        left = _part(first.left, first.end, begin, end)
        step = float(np.median(np.diff(left))) / 1e9 if len(left) > 1 else 0.0
        found = compare(list(spoken), waits, [known.phases for known in spoken.values()], step)
        if found is not None:
            self._count(found, begin, end)
        return found

    def _count(self, found: Comparison, begin: int, end: int) -> None:
        new = found.last[max(0, self._until - begin) :] if self._until < end else found.last[:0]
        for rank in found.ranks:
            self.last[rank] = self.last.get(rank, 0) + int(np.count_nonzero(new == rank))
        self.compared += len(new)
        self._until = max(self._until, end)

    def clocks(self) -> dict[int, tuple[float, float]]:
        """Return by rank how far its host's clock is ahead of that of rank 0's, and the error of that, in seconds.

        All ranks leave a synchronisation at the same time, but for the time that its last message takes. Ranks on rank
        0's host are left out.
        """
        reference = self._ranks.get(0)
        found: dict[int, tuple[float, float]] = {}
        if reference is None:
            return found
        for rank, known in self._ranks.items():
            if known.host == reference.host:
                continue
            end = min(known.end, reference.end)
            begin = max(known.end - len(known.left), reference.end - len(reference.left))
            if end > begin:
                ahead = _part(known.left, known.end, begin, end) - _part(reference.left, reference.end, begin, end)
                low, middle, high = np.quantile(ahead, (0.25, 0.5, 0.75))
                found[rank] = (float(middle) / 1e9, float(high - low) / 2e9)
        return found


def _part(values: Integers, values_end: int, begin: int, end: int) -> Integers:
    """Return those numbered from `begin` to before `end`; the last of the values has the number `values_end` - 1."""
    first = values_end - len(values)
    return values[begin - first : end - first]
