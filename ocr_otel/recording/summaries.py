"""What an epoch, a validation and a whole Trainer entry add up to, in plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ocr_otel.recording import journal
from ocr_otel.recording import rows as columns
from ocr_otel.semconv import Phase, Stage

PART_OF_PHASE: Final = {
    Phase.FETCH: journal.FETCH,
    Phase.TRANSFER: journal.TRANSFER,
    Phase.FORWARD: journal.FORWARD,
    Phase.BACKWARD: journal.BACKWARD,
    Phase.COMMUNICATION: journal.COMMUNICATION,
    Phase.OPTIMIZER: journal.OPTIMIZER,
    Phase.CALLBACKS: journal.CALLBACKS,
}
"""The phases that contexts measure; `loop` is none, it is what the others leave."""
_GROWTH: Final = 1.01
_SMALLEST: Final = 1e-6
_EDGES: Final = _SMALLEST * _GROWTH ** np.arange(2400)
"""Edges for percentiles: 1 µs to 6 h in steps of 1 %, so that an epoch of any length needs 19 KB."""


def phase_nanoseconds(rows: npt.NDArray[np.int64]) -> dict[Phase, npt.NDArray[np.int64]]:
    """Return the nanoseconds of each phase in rows of a `rows`; Lightning's loop is what the others leave."""
    found = {phase: rows[:, columns.PARTS + part] for phase, part in PART_OF_PHASE.items()}
    found[Phase.LOOP] = np.maximum(0, rows[:, columns.DURATION] - rows[:, columns.PARTS :].sum(axis=1))
    return found


@dataclass(frozen=True, slots=True)
class Making:
    """What dataloaders did for the batches of a loop, as far as it was timed, added up over their workers.

    Attributes:
        batches: Batches whose making was timed.
        dataset: Seconds in the dataset.
        dataset_cpu: CPU time of that.
        collate: Seconds in `collate_fn`.
    """

    batches: int = 0
    dataset: float = 0.0
    dataset_cpu: float = 0.0
    collate: float = 0.0


@dataclass(frozen=True, slots=True)
class Interruptions:
    """What held the training up in an epoch and is no phase of a batch. Times are seconds.

    All but `starting` and `profiling` may lie in any phase, and in validation.

    Attributes:
        starting: Time of making the dataloader's iterator and starting its workers.
        starts: Epochs in which that was done.
        collecting: Time in Python's garbage collector.
        collections: Full collections.
        compiling: Time in `torch.compile` compiling.
        recompiling: Part of that for code that had been compiled before.
        recompilations: How often that was.
        profiling: Time in which it stood still for the profiler's windows.
        cpu_delay: Time in which the training could run and had no CPU.
        main_cpu: CPU time of the training's thread; 0 where unknown.
    """

    starting: float = 0.0
    starts: int = 0
    collecting: float = 0.0
    collections: int = 0
    compiling: float = 0.0
    recompiling: float = 0.0
    recompilations: int = 0
    profiling: float = 0.0
    cpu_delay: float = 0.0
    main_cpu: float = 0.0


@dataclass(frozen=True, slots=True)
class LoopSummary:
    """An epoch, a validation, several of them added up, or the part of an epoch since its last progress span.

    Times are seconds.

    Attributes:
        stage: Lightning's running stage.
        wall: Wall time.
        batches: Batches done.
        samples: Samples done.
        phases: Time by phase.
        mean: Mean batch time.
        p50: Median batch time, within 1 %, as the other percentiles.
        p95: 95th percentile.
        p99: 99th percentile.
        longest: Longest batch.
        slow_batches: Batches found slow.
        validation: Time in validations inside.
        checkpoint: Time in writing checkpoints inside.
        callbacks_between: Time in callbacks and module hooks between batches, validations left out.
        slowest_callback: Callback or module hook that took most time; empty when there is none.
        slowest_callback_seconds: Its time.
        skipped_steps: Optimiser steps that a gradient scaler skipped.
        making: What dataloaders did for its batches.
        interruptions: What held the training up beside its batches.
        first_wait: Wait for its first batch, part of the phase `fetch`.
        validations: Validations inside.
        checkpoints: Checkpoints written inside.
        loops: Epochs or validations that it is of.
    """

    stage: Stage
    wall: float
    batches: int
    samples: int
    phases: dict[Phase, float]
    mean: float
    p50: float
    p95: float
    p99: float
    longest: float
    slow_batches: int
    validation: float = 0.0
    checkpoint: float = 0.0
    callbacks_between: float = 0.0
    slowest_callback: str = ""
    slowest_callback_seconds: float = 0.0
    skipped_steps: int = 0
    making: Making = field(default_factory=Making)
    interruptions: Interruptions = field(default_factory=Interruptions)
    first_wait: float = 0.0
    validations: int = 0
    checkpoints: int = 0
    loops: int = 1

    @property
    def in_batches(self) -> float:
        """Seconds inside batches."""
        return self.mean * self.batches


@dataclass(frozen=True, slots=True)
class EntrySummary:
    """A whole `fit`, `validate`, `test` or `predict`.

    Attributes:
        entry: Its name.
        outcome: How it ended.
        wall: Seconds it took.
        epochs: Its training epochs, or its one loop; of very many, the older ones added up.
        time_to_first_batch: Seconds until the first training batch was in hand.
        goodput: Share of the wall time in the phases that train; None without training batches.
        mfu: Model FLOPs utilisation; None where unknown.
        checkpoint_outside: Seconds of writing checkpoints outside epochs.
        spans_lost: Spans made and not delivered.
        destination: Where telemetry went.
        directory: The run directory, empty when there is none.
        causes: Attributes of the verdict's causes, by rank; empty without a verdict.
        straggler: The rank that all others wait for, in one sentence; empty where there is none.
    """

    entry: str
    outcome: str
    wall: float
    epochs: tuple[LoopSummary, ...]
    time_to_first_batch: float | None
    goodput: float | None
    mfu: float | None
    checkpoint_outside: float
    spans_lost: int
    destination: str
    directory: str
    causes: tuple[Mapping[str, Any], ...] = ()
    straggler: str = ""


@dataclass(slots=True)
class Totals:
    """Adds rows up."""

    batches: int = 0
    samples: int = 0
    nanoseconds: int = 0
    longest: int = 0
    phases: dict[Phase, int] = field(default_factory=lambda: dict.fromkeys(Phase, 0))
    histogram: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(_EDGES) + 1, dtype=np.int64))

    def add(self, rows: npt.NDArray[np.int64], phases: dict[Phase, npt.NDArray[np.int64]]) -> None:
        """Add rows of a `rows` and what `phase_nanoseconds` made of them."""
        durations = rows[:, columns.DURATION]
        self.batches += len(rows)
        self.samples += int(rows[:, columns.SAMPLES].sum())
        self.nanoseconds += int(durations.sum())
        self.longest = max(self.longest, int(durations.max()))
        for phase, nanoseconds in phases.items():
            self.phases[phase] += int(nanoseconds.sum())
        self.histogram += np.bincount(np.searchsorted(_EDGES, durations / 1e9), minlength=len(self.histogram))

    def percentile(self, share: float) -> float:
        """Return a percentile of the batch time in seconds, within 1 %; 0 without batches."""
        if not self.batches:
            return 0.0
        bucket = int(np.searchsorted(np.cumsum(self.histogram), share * self.batches))
        # The middle of the bucket, in the logarithm, and never above what was seen.
        upper = _SMALLEST * _GROWTH**bucket
        return min(self.longest / 1e9, float(upper / _GROWTH**0.5))
