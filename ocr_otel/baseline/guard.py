"""A run directory against a baseline file, and a baseline file from a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ocr_otel.baseline.check import Result, check
from ocr_otel.baseline.file import TOLERANCE, read, saved, written
from ocr_otel.baseline.measures import MEASURES, values
from ocr_otel.comparison.data import Measured
from ocr_otel.comparison.measuring import measured
from ocr_otel.runs import RunError, load


class NothingRecorded(RunError):
    """No Trainer entry began at or after the time that was asked for."""


def check_run(directory: Path, baseline: Path, since: int = 0) -> tuple[str, list[Result]]:
    """Return a run's name, and how it stands to a baseline.

    Args:
        directory: The run directory.
        baseline: The file.
        since: Unix nanoseconds; Trainer entries that began before are not looked at.

    Raises:
        BaselineError: The file cannot be used.
        RunError: The run cannot be read.
    """
    limits = read(baseline)
    run = _measured(directory, since)
    return run.data.run_id, check(values(run), limits)


def save_run(
    directory: Path, baseline: Path, names: Sequence[str] = (), tolerance: float = TOLERANCE, since: int = 0
) -> list[str]:
    """Write a baseline file from a run; of one that is there the tolerances and limits stay.

    Args:
        directory: The run directory.
        baseline: The file.
        names: Measures to hold; the usual ones by default.
        tolerance: Share by which a measure may become worse.
        since: As in `check_run`.

    Returns:
        The names of the measures that it holds; those that the run does not have are not among them.

    Raises:
        BaselineError: The file that is there cannot be used.
        RunError: The run cannot be read.
        OSError: The file cannot be written.
    """
    old = read(baseline) if baseline.exists() else None
    run = _measured(directory, since)
    wanted = list(names) or ([name for name, each in MEASURES.items() if each.usual] if old is None else [])
    limits = saved(values(run), wanted, tolerance, old)
    baseline.write_text(written(run.data.run_id, limits), encoding="utf-8")
    return list(limits)


def _measured(directory: Path, since: int) -> Measured:
    run = load(directory)
    if since:
        entries = [entry for entry in run.entries if entry.start >= since]
        if not entries:
            raise NothingRecorded(f"{directory} has no Trainer entry that began since")
        run = replace(
            run,
            entries=entries,
            batches=[batch for batch in run.batches if batch.span.start >= since],
            others=[span for span in run.others if span.start >= since],
            windows=[window for window in run.windows if window.span.start >= since],
            points=[point for point in run.points if point.time >= since],
        )
    return measured(run)
