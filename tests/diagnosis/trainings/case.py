"""A labelled training: what is planted in it, how much of the time that is, and how it is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import lightning as L
from torch.utils.data import DataLoader

from tests.diagnosis.trainings.meter import Meter

NONE = "none"
MORE = 0.13
LESS = 0.20
"""How far above and below the share that a case is built for its own measurement may be: a machine does other things
beside, and what records the training takes some of its time too."""
LEAST = 0.15
"""Less than that is nothing that a person would name."""
CALLS = 1.4
WORKS = 1.5
"""A step that takes less than 1.4 times as long with twice the batch is mostly calls of operators, whose cost is the
same for any batch; one that takes more than 1.5 times as long is mostly their work. What is between has no label."""
COMPUTES = 0.4
MOVES = 0.1
"""A step that does 40 % of the arithmetic of a matrix product in its time is limited by it, one that does less than a
tenth is not. What is between has no label."""
MOST_OF_OTHERS: Mapping[str, float] = {
    "data": 0.15,
    "transfer": 0.10,
    "optimizer": 0.30,
    "validation": 0.25,
    "checkpoint": 0.05,
    "logging": 0.12,
    "memory": 0.05,
    "host": 0.15,
}
"""Shares of the time that parts of a balanced training may have at most: what a healthy training spends on them."""


@dataclass(frozen=True, slots=True)
class Training:
    """What `Trainer.fit` is called with.

    Attributes:
        module: The module.
        loader: Training batches.
        validation: Validation batches.
        trainer: Arguments of the Trainer.
        callbacks: Its callbacks.
        threads: Threads of torch's operators.
        around: Called around `fit`; gives back what has to be undone.
    """

    module: L.LightningModule
    loader: DataLoader[Any]
    validation: DataLoader[Any] | None = None
    trainer: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[L.Callback] = ()
    threads: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled training.

    Attributes:
        name: Its name.
        kind: The label: what a person who built it would name; `none` where nothing stands out.
        share: Share of the training's time that is planted; 0 for `none`.
        build: Builds it for a meter.
        part: Part of the meter that shows what was planted; the kind's name by default.
        second: Another part that is planted, and smaller.
        own_process: Whether it is started as a script of its own.
    """

    name: str
    kind: str
    share: float
    build: Callable[[Meter], Training]
    part: str = ""
    second: str = ""
    own_process: bool = False

    def wrong(self, shares: Mapping[str, float]) -> str:
        """Say what a training measured of itself that is not as the case claims; empty where all is."""
        growth = shares.get("growth")
        if growth and (growth > CALLS if self.kind == "launch" else growth < WORKS):
            return f"{self.name} takes {growth:.2f} times as long with twice the batch"
        efficiency = shares.get("efficiency")
        if efficiency is not None and (
            efficiency > MOVES if self.kind == "memory_bandwidth" else efficiency < COMPUTES
        ):
            return f"{self.name} does {efficiency:.0%} of the arithmetic of a matrix product"
        if self.kind == NONE:
            over = [f"{part} {shares[part]:.0%}" for part, most in MOST_OF_OTHERS.items() if shares.get(part, 0) > most]
            return f"{self.name} is not balanced: {', '.join(over)}" if over else ""
        planted = shares.get(self.part or self.kind, 0.0)
        if not max(LEAST, self.share - LESS) <= planted <= self.share + MORE:
            return f"{self.name} planted {planted:.0%} of the time, not {self.share:.0%}"
        if self.second and shares.get(self.second, 0.0) > planted / 1.5:
            return f"{self.name} planted {shares[self.second]:.0%} as {self.second} beside {planted:.0%}"
        return ""


class Labelled(Protocol):
    """Something with a label."""

    @property
    def kind(self) -> str:
        """Its label."""


Kept = TypeVar("Kept", bound=Labelled)


def halves(cases: Sequence[Kept]) -> dict[str, list[Kept]]:
    """Part the set: within each kind, in the order of the list, every second case is held out of the tuning."""
    parted: dict[str, list[Kept]] = {"tuning": [], "held out": []}
    seen: dict[str, int] = {}
    for case in cases:
        number = seen[case.kind] = seen.get(case.kind, -1) + 1
        parted["held out" if number % 2 else "tuning"].append(case)
    return parted
