"""Does telemetry of earlier runs wait that an endpoint has not taken?"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ocr_otel import settings
from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.cli.printing import size
from ocr_otel.spool import Waiting, spools, waiting_in
from ocr_otel.telemetry import destination

_EXAMPLE: Final = "http://localhost:4318"


def check_spool() -> list[Finding]:
    """Look for what waits below the runs' directory: how much, since when, and what sends it."""
    try:
        runs_dir = settings.load().runs_dir
    except settings.SettingsError:
        return []  # It is said where the settings are looked at.
    found = _waiting(runs_dir)
    if not found:
        return [Finding("spool", Status.OK, f"nothing waits to be delivered below {runs_dir}")]
    alone = {rank: kept for rank, each in found.items() if (kept := [one for one in each if not one.in_use])}
    if not alone:
        return [Finding("spool", Status.OK, f"{_said(found, runs_dir)}, and is being delivered")]
    oldest = min(alone, key=lambda rank: min(each.since for each in alone[rank]))
    more = f" (and so for {len(alone) - 1} more)" if len(alone) > 1 else ""
    return [Finding("spool", Status.WARN, _said(alone, runs_dir), _command(oldest) + more)]


def _waiting(runs_dir: Path) -> dict[Path, list[Waiting]]:
    """Return what waits, by the directory of the rank."""
    found: dict[Path, list[Waiting]] = {}
    for rank in (*runs_dir.glob("*"), *runs_dir.glob("*/rank-*")):
        waiting = [each for place in spools(rank) if (each := waiting_in(place)) is not None]
        if waiting:
            found[rank] = waiting
    return found


def _said(found: Mapping[Path, list[Waiting]], runs_dir: Path) -> str:
    waiting = [each for several in found.values() for each in several]
    hours = (time.time() - min(each.since for each in waiting)) / 3600
    age = f"{hours:.0f} h" if hours >= 1 else f"{hours * 60:.0f} min"
    total = size(sum(each.size for each in waiting))
    return f"{total} below {runs_dir} was not taken by its endpoint, the oldest of it {age} ago"


def _command(rank: Path) -> str:
    run = rank.parent if rank.name.startswith("rank-") else rank
    try:
        has_exporters = destination().kind == "exporters"
    except settings.SettingsError:
        has_exporters = False
    if has_exporters:
        return f"python -m ocr_otel.telemetry.delivery {shlex.quote(str(rank))}"
    return f"ocr-otel replay {shlex.quote(str(run))} --endpoint {_EXAMPLE}"
