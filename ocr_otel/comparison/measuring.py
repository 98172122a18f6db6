"""What is compared of a run."""

from __future__ import annotations

from ocr_otel.comparison.data import Measured
from ocr_otel.comparison.steps import WARMUP, steps
from ocr_otel.report.build import build, chosen_entry
from ocr_otel.runs import Run


def measured(run: Run, warmup: int = WARMUP) -> Measured:
    """Return what is compared of a run.

    Args:
        run: The run.
        warmup: Batches to leave out at its beginning.
    """
    return Measured(build(run), steps(run, chosen_entry(run), warmup))
