"""Finds the profiler's trace files in a run directory."""

from __future__ import annotations

from pathlib import Path

from ocr_otel.profiling.windows.files import DIRECTORY, TRACE_SUFFIX
from ocr_otel.runs.locate import inside, rank_directories


def traces(run: Path) -> list[Path]:
    """Return the trace files of a run, of all ranks, the newest first."""
    named = [path for part in rank_directories(run) for path in (part / DIRECTORY).glob(f"*{TRACE_SUFFIX}")]
    found = [path for path in named if inside(path, run)]
    return sorted(found, key=lambda path: (path.stat().st_mtime, path.name), reverse=True)
