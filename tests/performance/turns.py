"""Trainings that have their turns: what is compared is trained beside each other, less than a second each time.

Each is a process of its own; who has no turn is stopped.
"""

from __future__ import annotations

import contextlib
import json
import signal
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.performance.bench import Spread, spread
from tests.performance.workload import products_for
from tests.reliability.hard import environment

TRAINING: Final = "tests.performance.turns_training"
LONGEST_END: Final = 60
STEP_SECONDS: Final = 0.01
BATCHES: Final = 60
OFTEN: Final = {"OCR_OTEL_BATCH_SPANS": "6", "OTEL_METRIC_EXPORT_INTERVAL": "200"}
"""One batch in ten is kept, and each training is long enough for exports of all signals to fall into it."""
MOST: Final = 1.02
"""What a step may take, of one of the training beside it."""
CERTAIN: Final = 0.998
"""Of many cases one would be accused by chance at a lower confidence."""
LEAST_ROUNDS: Final = 10
"""In which being slower by chance each time is as improbable as `CERTAIN` says."""
HEAD: Final = "| | step | quiet step | median step |\n| --- | --- | --- | --- |"


@dataclass(frozen=True, slots=True)
class Step:
    """What the steps of a training took, in seconds, and what it made of the model.

    Attributes:
        quiet: Their 10th percentile.
        median: Their median.
        weights: A digest of the weights.
    """

    quiet: float
    median: float
    weights: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What the steps of trainings took, over those of the ones beside them.

    Attributes:
        name: Which trainings.
        quiet: Of quiet steps.
        median: Of median steps.
        surely: What the ratio of median steps exceeds at a confidence of `CERTAIN`.
        step: The median step itself, seconds.
        same: Whether the trainings made the same of the model, bit by bit.
    """

    name: str
    quiet: Spread
    median: Spread
    surely: float
    step: float
    same: bool

    @property
    def row(self) -> str:
        """A row of a table with `HEAD`."""
        ratios = (f"×{each.median:.3f} ({each.low:.3f} to {each.high:.3f})" for each in (self.quiet, self.median))
        return f"| {self.name} | {self.step * 1e3:.2f} ms | {' | '.join(ratios)} |"

    @property
    def wrong(self) -> list[str]:
        """What is not as it should be: steps that are slower for certain, or another thing learnt."""
        slower = [f"{self.name}: slower, ×{self.surely:.3f} at least"] if self.surely > MOST else []
        return slower if self.same else [*slower, f"{self.name}: other weights"]


def products() -> int:
    """Return the matrix products of a step."""
    return products_for(STEP_SECONDS)


def compared(name: str, pairs: Sequence[tuple[Step, Step]]) -> Compared:
    """Compare trainings with those beside them."""
    medians = [mine.median / its.median for mine, its in pairs]
    return Compared(
        name,
        spread([mine.quiet / its.quiet for mine, its in pairs]),
        spread(medians),
        spread(medians, CERTAIN).low,
        statistics.median(mine.median for mine, _ in pairs),
        all(mine.weights == its.weights for mine, its in pairs),
    )


class Training:
    """A process that trains when it has its turn.

    Args:
        folder: What it may write to.
        products: Matrix products in a step.
        variables: Those that lead it to a Collector; None for a training without ocr_otel.
    """

    def __init__(self, folder: Path, products: int, variables: Mapping[str, str] | None) -> None:
        folder.mkdir()
        self._errors = folder / "errors"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", TRAINING, str(BATCHES), str(products)],
                env=environment(folder, variables is not None, **OFTEN, **(variables or {})),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def turn(self, seed: int) -> Step:
        """Let it train once.

        Raises:
            RuntimeError: It ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.send_signal(signal.SIGCONT)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{seed}\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a training ended with {self._process.wait()}:\n{self._errors.read_text()}")
        self._process.send_signal(signal.SIGSTOP)
        return Step(**json.loads(line))

    def let_end(self) -> None:
        """Let it end, as a training ends."""
        assert self._process.stdin is not None
        self._process.send_signal(signal.SIGCONT)
        self._process.stdin.close()

    def wait(self) -> None:
        """Wait for its end."""
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process.wait(LONGEST_END)
