"""Do the installed packages fit what ocr_otel asks for, as its own metadata has it?"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Final

from packaging.requirements import Requirement

from ocr_otel.cli.checks.finding import Finding, Status

PACKAGE: Final = "ocr_otel"
EXTRAS: Final = {"report": "the HTML report", "replay": "`ocr-otel replay`", "demo": "`ocr-otel demo`"}
"""Each optional part, and what it is for."""
_SHOWN: Final = ("torch", "opentelemetry-sdk")
"""Packages whose version is said even when it fits."""


def check_packages() -> list[Finding]:
    """Compare each required package with what is installed."""
    try:
        required = _requirements(None)
    except PackageNotFoundError:
        return [
            Finding("packages", Status.FAIL, f"{PACKAGE} itself is not installed as a package", "pip install ocr_otel")
        ]
    wrong = _unmet(required)
    if wrong:
        wanted = " ".join(f"'{requirement.name}{requirement.specifier}'" for requirement, _ in wrong)
        found = "; ".join(
            f"{requirement.name} is {installed or 'not installed'}, needed is {requirement.specifier or 'any version'}"
            for requirement, installed in wrong
        )
        return [Finding("packages", Status.FAIL, found, f"pip install {wanted}")]
    shown = ", ".join(f"{name} {version(name)}" for name in _SHOWN)
    return [Finding("packages", Status.OK, f"{shown}; all {len(required)} required packages fit")]


def check_extras() -> list[Finding]:
    """Say which optional parts are not there."""
    findings = []
    for extra, purpose in EXTRAS.items():
        absent = [requirement.name for requirement, _ in _unmet(_requirements(extra))]
        if absent:
            findings.append(
                Finding(
                    f"extra {extra}",
                    Status.NOTE,
                    f"{', '.join(absent)} missing or too old: needed for {purpose}",
                    f"pip install '{PACKAGE}[{extra}]'",
                )
            )
    return findings or [Finding("extras", Status.OK, f"{', '.join(EXTRAS)} are installed")]


def _requirements(extra: str | None) -> list[Requirement]:
    all_of_them = [Requirement(text) for text in requires(PACKAGE) or ()]
    base = [each for each in all_of_them if each.marker is None or each.marker.evaluate({"extra": ""})]
    if extra is None:
        return base
    return [each for each in all_of_them if each not in base and each.marker and each.marker.evaluate({"extra": extra})]


def _unmet(requirements: Iterable[Requirement]) -> list[tuple[Requirement, str]]:
    unmet = []
    for requirement in requirements:
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            installed = ""
        if not installed or not requirement.specifier.contains(installed, prereleases=True):
            unmet.append((requirement, installed))
    return unmet
