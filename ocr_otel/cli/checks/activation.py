"""Is instrumentation on, are the settings right, and will Lightning find it?"""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Final

from ocr_otel import activation, settings
from ocr_otel.cli.checks.finding import Finding, Status

_PACKAGES: Final = {
    "lightning": "lightning.pytorch.callbacks_factory",
    "pytorch-lightning": "pytorch_lightning.callbacks_factory",
}
"""Each distribution of Lightning, and the group in which its Trainer looks for callbacks."""


def check_activation() -> list[Finding]:
    """Look at the switch, at the other settings, and at each Lightning that is installed."""
    findings = _check_settings()
    settings_are_right = findings[-1].status is not Status.FAIL
    installed = {package: found for package in _PACKAGES if (found := _version(package))}
    if not installed:
        return [
            *findings,
            Finding("Lightning", Status.FAIL, "is not installed", "pip install lightning"),
        ]
    is_on = settings_are_right and not activation.is_off()
    return findings + [_check_package(package, found, is_on) for package, found in installed.items()]


def _check_settings() -> list[Finding]:
    try:
        loaded = settings.load()
    except settings.SettingsError as error:
        return [
            Finding(
                "settings",
                Status.FAIL,
                str(error),
                "Correct or unset the variable: with it, a Trainer is not instrumented.",
            )
        ]
    if loaded.enabled and activation.is_off():
        switch = Finding(
            "switch",
            Status.WARN,
            f"off: {activation.ENABLED} is true, and {activation.DISABLED} excludes ocr_otel",
            f"Take ocr_otel, or *, out of {activation.DISABLED}.",
        )
    elif loaded.enabled:
        switch = Finding("switch", Status.OK, f"on: {activation.ENABLED} is true")
    else:
        switch = Finding(
            "switch",
            Status.WARN,
            f"off: {activation.ENABLED} is not true, so only a Trainer with an OTelCallback of its own is recorded",
            f"export {activation.ENABLED}=true",
        )
    named = [name for name in settings.variables() if name in os.environ and name != activation.ENABLED]
    return [switch, Finding("settings", Status.OK, f"{', '.join(named)} can be read" if named else "all at default")]


def _check_package(package: str, found: str, is_on: bool) -> Finding:
    point = _entry_point(_PACKAGES[package])
    if point is None:
        return Finding(
            package,
            Status.FAIL,
            f"{found} would not find ocr_otel: its entry point is not registered",
            "Install ocr_otel with pip in the Python that trains; a copied source folder is not enough.",
        )
    try:
        factory = point.load()
        # Off, this costs nothing and shows nothing; on, it imports Lightning and makes the callback, as a Trainer does.
        callbacks = factory()
    except Exception as error:
        return Finding(
            package,
            Status.FAIL,
            f"{found}: the callback cannot be made: {type(error).__name__}: {error}",
            f"Does `python -c 'import {package.replace('-', '_')}'` work in this environment?",
        )
    if is_on and not callbacks:
        return Finding(package, Status.FAIL, f"{found}: the entry point gave no callback although it is on")
    return Finding(package, Status.OK, f"{package} {found}, {'callback made' if is_on else 'entry point found'}")


def _entry_point(group: str) -> EntryPoint | None:
    return next(iter(entry_points(group=group, name="ocr_otel")), None)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
