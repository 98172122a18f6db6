"""Where the wall time of an epoch or of a whole entry went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

from ocr_otel.semconv import Phase


@dataclass(frozen=True, slots=True)
class TimeBudget:
    """Seconds of wall time by what they were spent on, and what else was counted meanwhile.

    Attributes:
        wall: Wall time of the epoch or entry.
        phases: Seconds in each phase of the training batches; callbacks also between them.
        validation: Seconds in validation, its batches included.
        checkpoint: Seconds in writing checkpoints, wherever they were written.
        batches: Number of training batches.
        slowest_callback: Name of the callback or module hook that took most time; empty when unknown.
        slowest_callback_seconds: Its time.
        epochs: Epochs in it.
        made: Batches whose making in a dataloader was timed.
        dataset: Seconds in the dataset for them, over all workers.
        dataset_cpu: CPU time of that.
        collate: Seconds in `collate_fn` for them, over all workers.
        starting: Seconds in making dataloader iterators inside epochs.
        starts: Epochs in which one was made.
        first_wait: Wait for the first batch of each epoch, part of the phase `fetch`.
        collecting: Seconds in Python's garbage collector; they are part of whatever was done then.
        collections: Full collections.
        compiling: Seconds of `torch.compile`, part of whatever was done then.
        recompiling: Part of those for code that had been compiled before.
        recompilations: How often that was.
        profiling: Seconds in which it stood still for the profiler's windows.
        cpu_delay: Seconds in which the training could run and had no CPU.
        main_cpu: CPU time of the training's thread; 0 where unknown.
        validations: Validations.
        checkpoints: Checkpoints written.
    """

    wall: float
    phases: Mapping[Phase, float]
    validation: float = 0.0
    checkpoint: float = 0.0
    batches: int = 0
    slowest_callback: str = ""
    slowest_callback_seconds: float = 0.0
    epochs: int = 1
    made: int = 0
    dataset: float = 0.0
    dataset_cpu: float = 0.0
    collate: float = 0.0
    starting: float = 0.0
    starts: int = 0
    first_wait: float = 0.0
    collecting: float = 0.0
    collections: int = 0
    compiling: float = 0.0
    recompiling: float = 0.0
    recompilations: int = 0
    profiling: float = 0.0
    cpu_delay: float = 0.0
    main_cpu: float = 0.0
    validations: int = 0
    checkpoints: int = 0

    @property
    def other(self) -> float:
        """Seconds outside batches, callbacks, validation and checkpoints: start-up of workers, set-up."""
        return max(0.0, self.wall - sum(self.phases.values()) - self.validation - self.checkpoint)

    def seconds(self, *phases: Phase) -> float:
        """Return the seconds that the given phases took."""
        return sum(self.phases.get(phase, 0.0) for phase in phases)

    def share(self, *phases: Phase) -> float:
        """Return the share of the wall time, 0 to 1, that the given phases took."""
        return self.part(self.seconds(*phases))

    def part(self, seconds: float) -> float:
        """Return the share of the wall time, 0 to 1, that so many seconds are."""
        return min(1.0, max(0.0, seconds / self.wall)) if self.wall > 0 else 0.0


_ADDED: Final = tuple(
    field.name
    for field in fields(TimeBudget)
    if field.name not in ("wall", "phases", "slowest_callback", "slowest_callback_seconds")
)
"""Fields of which an entry has the sum of its epochs."""


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
        slowest_callback=slowest.slowest_callback if slowest else "",
        slowest_callback_seconds=sum(
            part.slowest_callback_seconds
            for part in parts
            if slowest and part.slowest_callback == slowest.slowest_callback
        ),
        **{name: sum(getattr(part, name) for part in parts) for name in _ADDED},
    )
