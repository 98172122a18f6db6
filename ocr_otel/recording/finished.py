"""The epochs and validations of an entry that are over, in as much memory for a million of them as for some hundred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from ocr_otel.recording.summaries import LoopSummary
from ocr_otel.semconv import Phase

MOST: Final = 256
"""Loops that are kept apart; what is told of an entry needs their sums, and the batch times of its longest one."""
_ADDED: Final = (
    "wall",
    "batches",
    "samples",
    "slow_batches",
    "validation",
    "checkpoint",
    "callbacks_between",
    "skipped_steps",
    "first_wait",
    "validations",
    "checkpoints",
    "loops",
)
_Counted = TypeVar("_Counted")


class FinishedLoops:
    """Takes loops as they end."""

    def __init__(self) -> None:
        self._loops: list[LoopSummary] = []

    def __iter__(self) -> Iterator[LoopSummary]:
        return iter(self._loops)

    def add(self, summary: LoopSummary) -> None:
        """Take a loop; when there are many, they are added up, stage by stage."""
        self._loops.append(summary)
        if len(self._loops) >= MOST:
            stages = dict.fromkeys(each.stage for each in self._loops)
            self._loops = [added_up([each for each in self._loops if each.stage is stage]) for stage in stages]


def added_up(loops: Sequence[LoopSummary]) -> LoopSummary:
    """Return some loops of one stage, at least one, as one; the percentiles are those of the one with most batches."""
    most = max(loops, key=lambda loop: loop.batches)
    slowest = max(loops, key=lambda loop: loop.slowest_callback_seconds)
    batches = sum(loop.batches for loop in loops)
    return replace(
        most,
        phases={phase: sum(loop.phases.get(phase, 0.0) for loop in loops) for phase in Phase},
        mean=sum(loop.in_batches for loop in loops) / batches if batches else 0.0,
        longest=max(loop.longest for loop in loops),
        slowest_callback=slowest.slowest_callback,
        slowest_callback_seconds=sum(
            loop.slowest_callback_seconds for loop in loops if loop.slowest_callback == slowest.slowest_callback
        ),
        making=_sum([loop.making for loop in loops]),
        interruptions=_sum([loop.interruptions for loop in loops]),
        **{name: sum(getattr(loop, name) for loop in loops) for name in _ADDED},
    )


def _sum(parts: Sequence[_Counted]) -> _Counted:
    """Return one of which each field is the sum of theirs."""
    kind: Any = type(parts[0])
    names = [field.name for field in fields(kind)]
    return kind(**{name: sum(getattr(part, name) for part in parts) for name in names})  # type: ignore[no-any-return]
