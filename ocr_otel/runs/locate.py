"""Finds run directories, and says what is wrong with what is not one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

TRACES: Final = "traces.jsonl"
METRICS: Final = "metrics.jsonl"
LOGS: Final = "logs.jsonl"
DESCRIPTION: Final = "run.json"

WHAT_A_RUN_IS: Final = (
    f"a run directory holds {TRACES}, {METRICS} and {DESCRIPTION}, as a recorded training leaves them"
)


class RunError(Exception):
    """A run cannot be read; the message says what was given and what a run directory is."""


def inside(path: Path, directory: Path) -> bool:
    """Return whether a path is a file that lies in a directory.

    A run directory may come from somebody else: links that lead out of it are not followed, and what is no file, such
    as a pipe that nobody writes to, is not read.
    """
    return path.is_file() and path.resolve().is_relative_to(directory.resolve())


def rank_directories(directory: Path) -> list[Path]:
    """Return the directories with a run's files: the run directory itself, or one for each rank."""
    ranks = [part for part in directory.glob("rank-*") if inside(part / TRACES, directory)]
    ranks.sort(key=lambda part: (len(part.name), part.name))
    return [directory] if inside(directory / TRACES, directory) else ranks


def find(run: str, runs_dir: Path) -> Path:
    """Return the directory of a run.

    Args:
        run: Path of a run directory, or a run id inside `runs_dir`.
        runs_dir: Where run directories lie.

    Raises:
        RunError: There is no such run.
    """
    given = Path(run)
    inside = runs_dir / run
    candidate = given if given.exists() or Path(run).name != run else inside
    if not candidate.exists():
        raise RunError(f"{run!r} is neither a path nor a run in {runs_dir}: {WHAT_A_RUN_IS}.")
    check(candidate)
    return candidate


def check(directory: Path) -> None:
    """Raise RunError unless `directory` is a run directory."""
    if not directory.is_dir():
        raise RunError(f"{directory} is not a directory: {WHAT_A_RUN_IS}.")
    if not rank_directories(directory):
        out = next((path for path in (directory / TRACES, *directory.glob("rank-*")) if path.is_symlink()), None)
        said = f" {out} is a link that leads out of it, and is not followed." if out is not None else ""
        raise RunError(f"{directory} is not a run directory: {WHAT_A_RUN_IS}.{said}")


def newest(runs_dir: Path) -> Path:
    """Return the run directory in which something was written last.

    Raises:
        RunError: There is none.
    """
    if not runs_dir.is_dir():
        raise RunError(f"{runs_dir} is not there: name a run, or the directory with --runs-dir.")
    runs = [run for run in runs_dir.iterdir() if run.is_dir() and rank_directories(run)]
    if not runs:
        raise RunError(f"there is no run in {runs_dir}: {WHAT_A_RUN_IS}.")
    return max(runs, key=lambda run: max(part.stat().st_mtime for part in _files(run)))


def last_written(parts: Iterable[Path]) -> float:
    """Return when a file of ranks was written last, Unix seconds; 0 where there is none.

    Args:
        parts: Of `rank_directories`.
    """
    times = []
    for part in parts:
        for path in part.glob("*.jsonl"):
            try:
                times.append(path.stat().st_mtime)
            except OSError:
                continue
    return max(times, default=0.0)


def _files(run: Path) -> list[Path]:
    return [part / TRACES for part in rank_directories(run)]
