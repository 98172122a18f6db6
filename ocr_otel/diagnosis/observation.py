"""What is known of a training when it is judged: its time budget, a window of the profiler, its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from ocr_otel.diagnosis.budget import TimeBudget
from ocr_otel.diagnosis.known import Known
from ocr_otel.diagnosis.verdict import Evidence
from ocr_otel.diagnosis.window import budget_of_window
from ocr_otel.diagnosis.words import count, percent
from ocr_otel.profiling.profile import Device, WindowProfile
from ocr_otel.semconv import Confidence, Phase, phase_seconds

MANY_BATCHES: Final = 30
"""From so many batches on, one slow batch is no longer a large part of what was measured."""
WINDOW_SOURCE: Final = "profiler window"
WORK: Final = (Phase.FORWARD, Phase.BACKWARD)


@dataclass(frozen=True, slots=True)
class Observation:
    """What is known.

    Attributes:
        budget: Where the wall time went.
        window: What the profiler showed; None without a window.
        known: Configuration and resources.
        window_only: Whether there is nothing but the window: the budget is made of it.
    """

    budget: TimeBudget
    window: WindowProfile | None = None
    known: Known = field(default_factory=Known)
    window_only: bool = False

    @classmethod
    def of(cls, budget: TimeBudget, attributes: Mapping[str, Any], window: WindowProfile | None = None) -> Self:
        """Return what is known of an epoch or an entry, from the attributes of its spans and its configuration.

        The time in which the training stood still for the profiler is left out: it is nothing that it does itself.
        """
        return cls(replace(budget, wall=max(0.0, budget.wall - budget.profiling)), window, Known.of(attributes))

    @classmethod
    def of_window(cls, window: WindowProfile, attributes: Mapping[str, Any] | None = None) -> Self:
        """Return what is known of a window of the profiler alone."""
        return cls(budget_of_window(window), window, Known.of(attributes or {}), window_only=True)

    @property
    def device(self) -> Device | None:
        """What the device did in the window; None without one."""
        return self.window.device if self.window is not None else None

    @property
    def idle(self) -> float:
        """Share of the time in which the device had nothing to do; 1 where there is none, or nobody looked.

        What the host waits for while the device is busy costs nothing: that much of any wait is at stake, not more.
        """
        shares = []
        if self.window is not None and self.device is not None and self.window.seconds > 0:
            shares.append(1 - self.device.busy / self.window.seconds)
        if self.known.machine.gpu is not None and self.known.machine.accelerator is not False:
            shares.append(1 - self.known.machine.gpu)
        return min(1.0, max(0.0, max(shares, default=1.0)))

    def exposed(self, share: float) -> float:
        """Return the part of a share of host time that the device's work does not hide."""
        return min(share, self.idle)

    def in_window(self, seconds: float) -> float:
        """Return seconds of the window as a share of it, 0 to 1."""
        if self.window is None or self.window.seconds <= 0:
            return 0.0
        return min(1.0, max(0.0, seconds / self.window.seconds))

    def by_batch(self, seconds: float) -> float:
        """Return the mean of some seconds over the batches."""
        return seconds / self.budget.batches if self.budget.batches else 0.0

    @property
    def step(self) -> float:
        """Seconds in which the training does a batch once it has its data."""
        phases = self.budget.phases
        return self.by_batch(sum(seconds for phase, seconds in phases.items() if phase is not Phase.FETCH))

    @property
    def measured(self) -> Confidence:
        """How sure what was measured directly is."""
        return Confidence.HIGH if self.budget.batches >= MANY_BATCHES else Confidence.MEDIUM

    @property
    def basis(self) -> str:
        """What all of it rests on."""
        batches = count(self.budget.batches, "batch")
        if self.window is None:
            return f"phases of {batches} and what was read of the machine, without a profiler window"
        recorded = f" of {count(len(self.window.batches), 'batch')}" if self.window.batches else ""
        window = f"a profiler window{recorded}"
        return window if self.window_only else f"phases of {batches} and {window}"

    def phase(self, *phases: Phase) -> Evidence:
        """Return the share of phases as evidence."""
        source = WINDOW_SOURCE if self.window_only else ", ".join(phase_seconds(phase) for phase in phases)
        return Evidence(" and ".join(phases), f"{percent(self.budget.share(*phases))} of the time", source)
