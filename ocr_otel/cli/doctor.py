"""`ocr-otel doctor`: would a training that starts here be recorded, and would its telemetry arrive?"""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from ocr_otel.cli.checks import Finding, Status

_NAME_WIDTH: Final = len("pytorch-lightning")


class Format(StrEnum):
    """In which form the findings are printed."""

    TEXT = "text"
    JSON = "json"


def doctor(
    form: Annotated[Format, typer.Option("--format", help="Lines to read, or JSON.")] = Format.TEXT,
) -> None:
    """Check whether a training here would be recorded.

    Is recording on, do the packages fit, does telemetry arrive where it should go? One span and one metric are sent to
    the endpoint, if one is configured. Ends with status 1 when a training started in this environment would not be
    recorded as asked.
    """
    from ocr_otel.cli import checks

    findings: list[Finding] = []
    for check in (
        checks.check_activation,
        checks.check_packages,
        checks.check_delivery,
        checks.check_nvml,
        checks.check_extras,
    ):
        found = check()
        findings += found
        if form is Format.TEXT:
            # Some checks take seconds: each is shown as soon as it is done.
            _print(found)
    failed = _names(findings, checks.Status.FAIL)
    if form is Format.JSON:
        typer.echo(json.dumps({"ok": not failed, "checks": [asdict(each) for each in findings]}, indent=2))
    elif failed:
        typer.echo(f"\nA training started here would not be recorded as asked: see {failed}.")
    elif warned := _names(findings, checks.Status.WARN):
        typer.echo(f"\nNothing is broken, but see {warned}.")
    else:
        typer.echo("\nA training started here is recorded.")
    raise typer.Exit(1 if failed else 0)


def _print(findings: list[Finding]) -> None:
    colours = {"ok": typer.colors.GREEN, "warn": typer.colors.YELLOW, "fail": typer.colors.RED, "note": None}

    def words(each: Finding) -> tuple[Status, str, str]:
        return each.status, each.finding, each.advice

    # Traces and metrics mostly have the same endpoint and so the same problem, which is said once.
    for (status, finding, advice), alike in groupby(findings, key=words):
        name = ", ".join(each.check for each in alike)
        typer.echo(f"{typer.style(f'{status:<4}', fg=colours[status])}  {name:<{_NAME_WIDTH}}  {finding}")
        if advice:
            typer.echo(f"{'':4}  {'':{_NAME_WIDTH}}  -> {advice}")


def _names(findings: list[Finding], status: Status) -> str:
    return ", ".join(dict.fromkeys(each.check for each in findings if each.status is status))
