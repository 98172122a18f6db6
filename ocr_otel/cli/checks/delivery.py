"""Where will telemetry go, and does it arrive there?"""

from __future__ import annotations

import shutil
import tempfile
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, get_args

from ocr_otel import settings
from ocr_otel.cli.checks.export import OTLP_EXPORTERS, try_exports
from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.telemetry import destination
from ocr_otel.telemetry.exporting import Signal

_LITTLE_SPACE: Final = 500_000_000
"""Bytes; a long run with profiles writes some 100 MB."""


def check_delivery() -> list[Finding]:
    """Decide where telemetry goes as a run would, and try it: write a file there, or export a span and a metric."""
    try:
        target = destination()
    except settings.SettingsError as error:
        return [Finding("destination", Status.FAIL, str(error), "Correct or unset the variable.")]
    if target.kind == "disabled":
        found = f"telemetry goes {target.describe()}"
        return [Finding("destination", Status.FAIL, found, "unset OTEL_SDK_DISABLED")]
    if target.kind == "files":
        return _check_files()
    pairs: list[tuple[Signal, str]] = [("traces", name) for name in target.traces]
    pairs += [("metrics", name) for name in target.metrics]
    if not pairs:
        return [
            Finding(
                "destination",
                Status.WARN,
                "OTEL_TRACES_EXPORTER and OTEL_METRICS_EXPORTER are none, so nothing leaves the process",
                "Unset them for files in the run directory, or name otlp.",
            )
        ]
    findings = [Finding("destination", Status.OK, f"telemetry goes to {target.describe()}")]
    findings += try_exports([pair for pair in pairs if pair[1] in OTLP_EXPORTERS])
    findings += [_check_other(signal, name) for signal, name in pairs if name not in OTLP_EXPORTERS]
    findings += [
        Finding(signal, Status.NOTE, f"not exported: OTEL_{signal.upper()}_EXPORTER is none")
        for signal in get_args(Signal)
        if signal not in dict(pairs)
    ]
    return findings


def _check_other(signal: Signal, name: str) -> Finding:
    group = f"opentelemetry_{signal}_exporter"
    if not entry_points(group=group, name=name):
        known = ", ".join(sorted({point.name for point in entry_points(group=group)}))
        return Finding(signal, Status.FAIL, f"the exporter {name} is not installed", f"Known are {known}.")
    return Finding(signal, Status.NOTE, f"the exporter {name} is installed; it was not tried")


def _check_files() -> list[Finding]:
    try:
        runs_dir = settings.load().runs_dir.absolute()
    except settings.SettingsError:
        return [Finding("destination", Status.OK, "telemetry goes to files in the runs directory")]
    described = f"telemetry goes to files in {runs_dir}/<run id>/"
    try:
        _write_and_delete(runs_dir)
        free = shutil.disk_usage(_existing(runs_dir)).free
    except OSError as error:
        return [
            Finding(
                "destination",
                Status.FAIL,
                f"{described}, but nothing can be written there: {error.strerror or error}",
                "Name a directory that you may write to in OCR_OTEL_RUNS_DIR.",
            )
        ]
    if free < _LITTLE_SPACE:
        return [
            Finding(
                "destination",
                Status.WARN,
                f"{described}, where only {free / 1e6:.0f} MB are free",
                "Make room, or name another directory in OCR_OTEL_RUNS_DIR.",
            )
        ]
    return [Finding("destination", Status.OK, f"{described}; a file was written there and deleted")]


def _write_and_delete(directory: Path) -> None:
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(b"ocr-otel doctor")
            file.flush()
    finally:
        for each in missing:
            each.rmdir()


def _existing(directory: Path) -> Path:
    return next(each for each in (directory, *directory.parents) if each.exists())
