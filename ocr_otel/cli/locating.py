"""Which run directory a command means: a path, the name of a run, or the newest."""

from __future__ import annotations

from pathlib import Path

from ocr_otel.cli.printing import stop

_NAMED = 5
"""Runs that are named when the one asked for is not there."""


def runs_directory(given: Path | None) -> Path:
    """Return the directory of the runs: the one given, else the one of the settings."""
    if given is not None:
        return given
    from ocr_otel import settings

    try:
        return settings.load().runs_dir
    except settings.SettingsError as error:
        stop(str(error))


def run_directory(run: str | None, runs_dir: Path | None) -> Path:
    """Return the run directory that is meant.

    Args:
        run: A path or the name of a run; None for the newest run.
        runs_dir: Where runs are looked for.
    """
    if run is not None and Path(run).is_dir():
        return Path(run)
    from ocr_otel.runs import RunError, find, newest

    base = runs_directory(runs_dir)
    try:
        return newest(base) if run is None else find(run, base)
    except RunError as error:
        stop(f"{error}{_names(base) if run is not None else ''}")


def _names(base: Path) -> str:
    try:
        names = sorted((entry.name for entry in base.iterdir() if entry.is_dir()), reverse=True)
    except OSError:
        return f" {base} is not there; name another one with --runs-dir."
    more = ", ..." if len(names) > _NAMED else ""
    return f" Runs in {base}: {', '.join(names[:_NAMED]) or 'none'}{more}"
