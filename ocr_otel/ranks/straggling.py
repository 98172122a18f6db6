"""Which rank arrives last at the synchronisations of a run, how often, by how much, and in which phase it loses that.

All ranks leave a synchronisation at the same time, so that the one that waits least has arrived last: no clock of one
host is compared with that of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel.semconv import Phase

Seconds = npt.NDArray[np.float64]

MIN_STEPS: Final = 8
"""Of fewer steps nothing is said."""
QUANTILE: Final = 0.25
"""A straggler is late in three of four steps at least: with a mean, ranks that are late now and then would be ones."""
MIN_DELAY: Final = 1e-3
"""Seconds; less is the scheduler's noise."""
MIN_RATIO: Final = 0.05
"""Part of a step below which nobody is called a straggler."""


@dataclass(frozen=True, slots=True)
class Straggler:
    """The rank that all others wait for.

    Attributes:
        rank: Global rank.
        ratio: Share of the steps at which it arrived last.
        delay: Seconds that it arrives after the median of the others, in three of four steps at least.
        phase: The phase in which it spends more than the others; None where that is not known.
        excess: Seconds a batch by which that is more than the median of the others.
    """

    rank: int
    ratio: float
    delay: float
    phase: Phase | None
    excess: float

    @property
    def summary(self) -> str:
        """All that in one sentence."""
        why = f": it spends {self.excess * 1e3:.1f} ms a batch more in {self.phase}" if self.phase is not None else ""
        return (
            f"Rank {self.rank} arrived last in {self.ratio:.0%} of the steps, {self.delay * 1e3:.1f} ms after the "
            f"median of the others{why}."
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """What comparing some ranks shows.

    Attributes:
        ranks: They.
        steps: Synchronisations at which they were compared.
        delays: By rank: see `Straggler.delay`; 0 where it is not late.
        last: By step: the rank that arrived last while the others waited for it, or -1.
        straggler: The rank that all others wait for; None where there is none.
    """

    ranks: tuple[int, ...]
    steps: int
    delays: tuple[float, ...]
    last: npt.NDArray[np.int64]
    straggler: Straggler | None


def compare(
    ranks: Sequence[int], waits: Seconds, phases: Sequence[Mapping[Phase, float]], step: float
) -> Comparison | None:
    """Compare ranks; None of fewer than two ranks or `MIN_STEPS` steps.

    Args:
        ranks: The ranks.
        waits: Seconds that each waited at each synchronisation, shape (ranks, steps).
        phases: By rank: seconds a batch in each phase.
        step: Seconds from one synchronisation to the next.
    """
    if len(ranks) < 2 or waits.shape[1] < MIN_STEPS:
        return None
    delays = delays_of(waits)
    late = np.maximum(0.0, np.quantile(delays, QUANTILE, axis=1))
    first_to_leave = np.argmin(waits, axis=0)
    steps = np.arange(waits.shape[1])
    last = np.where(delays[first_to_leave, steps] > MIN_DELAY, np.asarray(ranks)[first_to_leave], -1)
    worst = int(np.argmax(late))
    straggler = None
    if late[worst] > max(MIN_DELAY, MIN_RATIO * step):
        phase, excess = _loses_in(worst, phases)
        ratio = float(np.mean(last == ranks[worst]))
        straggler = Straggler(ranks[worst], ratio, float(late[worst]), phase, excess)
    return Comparison(tuple(ranks), waits.shape[1], tuple(late.tolist()), last, straggler)


def delays_of(waits: Seconds) -> Seconds:
    """Return how much later each rank arrived at each step than the median of the others, of the shape of `waits`."""
    ordered = np.sort(waits, axis=0)
    place = np.argsort(np.argsort(waits, axis=0, kind="stable"), axis=0, kind="stable")
    others = len(waits) - 1
    middle: Seconds = _without(ordered, place, others // 2)
    if others % 2 == 0:
        middle = (middle + _without(ordered, place, others // 2 - 1)) / 2
    return middle - waits


def _without(ordered: Seconds, place: npt.NDArray[np.intp], index: int) -> Seconds:
    """Return element `index` of each column, once without each of its own elements."""
    found: Seconds = np.take_along_axis(ordered, np.where(index < place, index, index + 1), axis=0)
    return found


def _loses_in(which: int, phases: Sequence[Mapping[Phase, float]]) -> tuple[Phase | None, float]:
    most: tuple[Phase | None, float] = (None, 0.0)
    for phase in Phase:
        if phase is Phase.COMMUNICATION:
            continue
        others = [each.get(phase, 0.0) for number, each in enumerate(phases) if number != which]
        excess = phases[which].get(phase, 0.0) - float(np.median(others))
        if excess > most[1]:
            most = (phase, excess)
    return most
