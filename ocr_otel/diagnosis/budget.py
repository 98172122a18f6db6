"""Where the wall time of an epoch or of a whole entry went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ocr_otel.semconv import Phase


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """Seconds of wall time by what they were spent on.

    Attributes:
        wall: Wall time of the epoch or entry.
        phases: Seconds in each phase of the training batches; callbacks also between them.
        validation: Seconds in validation, its batches included.
        checkpoint: Seconds in writing checkpoints, wherever they were written.
        batches: Number of training batches.
        slowest_callback: Name of the callback or module hook that took most time; empty when unknown.
        slowest_callback_seconds: Its time.
    """

    wall: float
    phases: Mapping[Phase, float]
    validation: float = 0.0
    checkpoint: float = 0.0
    batches: int = 0
    slowest_callback: str = ""
    slowest_callback_seconds: float = 0.0

    @property
    def other(self) -> float:
        """Seconds outside batches, callbacks, validation and checkpoints: start-up of workers, set-up."""
        return max(0.0, self.wall - sum(self.phases.values()) - self.validation - self.checkpoint)

    def share(self, *phases: Phase) -> float:
        """Return the share of the wall time, 0 to 1, that the given phases took."""
        return sum(self.phases.get(phase, 0.0) for phase in phases) / self.wall if self.wall > 0 else 0.0


def with_callbacks(phases: Mapping[Phase, float], between: float) -> dict[Phase, float]:
    """Return the phases of an epoch's batches, with the callbacks that ran `between` seconds between them."""
    return {**phases, Phase.CALLBACKS: phases.get(Phase.CALLBACKS, 0.0) + between}


def total(budgets: Iterable[TimeBudget], wall: float) -> TimeBudget:
    """Add the budgets of epochs up to that of an entry which took `wall` seconds."""
    parts = list(budgets)
    slowest = max(parts, key=lambda part: part.slowest_callback_seconds, default=None)
    return TimeBudget(
        wall=wall,
        phases={phase: sum(part.phases.get(phase, 0.0) for part in parts) for phase in Phase},
        validation=sum(part.validation for part in parts),
        checkpoint=sum(part.checkpoint for part in parts),
        batches=sum(part.batches for part in parts),
        slowest_callback=slowest.slowest_callback if slowest else "",
        slowest_callback_seconds=sum(
            part.slowest_callback_seconds
            for part in parts
            if slowest and part.slowest_callback == slowest.slowest_callback
        ),
    )
