"""`ocr-otel doctor`: would a training that starts here be recorded, and would its telemetry arrive?"""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from ocr_otel.cli.printing import stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocr_otel.cli.checks import Finding, Status

_NAME_WIDTH: Final = len("pytorch-lightning")
_TRAINING: Final = "A training started here is recorded", "A training started here would not be recorded as asked"
_STACK: Final = "What a training sends is found in Jaeger and Prometheus", "What a training sends would be lost or late"
"""What is said at the end when all is well, and when something is not."""


class Format(StrEnum):
    """In which form the findings are printed."""

    TEXT = "text"
    JSON = "json"


def doctor(
    form: Annotated[Format, typer.Option("--format", help="Lines to read, or JSON.")] = Format.TEXT,
    stack: Annotated[
        bool, typer.Option("--stack", help="Follow a span and a metric point into Jaeger and Prometheus instead.")
    ] = False,
    directory: Annotated[
        Path, typer.Option("--directory", help="With --stack: the directory of `ocr-otel stack up`.")
    ] = Path(".stack"),
    jaeger: Annotated[str | None, typer.Option("--jaeger", help="With --stack: URL of Jaeger's query API.")] = None,
    prometheus: Annotated[str | None, typer.Option("--prometheus", help="With --stack: URL of Prometheus.")] = None,
) -> None:
    """Check whether a training here would be recorded.

    Is recording on, do the packages fit, does telemetry arrive where it should go? One span and one metric are sent to
    the endpoint, if one is configured. Ends with status 1 when a training started in this environment would not be
    recorded as asked; with --stack, when what it sends would not be found in Jaeger and Prometheus.
    """
    findings: list[Finding] = []
    # Some checks take seconds: each is shown as soon as it is done.
    for found in _follow(directory, jaeger, prometheus) if stack else _examine():
        findings += found
        if form is Format.TEXT:
            _print(found)
    _conclude(findings, form, _STACK if stack else _TRAINING)


def _examine() -> Iterator[list[Finding]]:
    from ocr_otel.cli import checks

    for check in (
        checks.check_activation,
        checks.check_packages,
        checks.check_delivery,
        checks.check_spool,
        checks.check_nvml,
        checks.check_resources,
        checks.check_extras,
    ):
        yield check()


def _follow(directory: Path, jaeger: str | None, prometheus: str | None) -> Iterator[list[Finding]]:
    from ocr_otel.cli import checks
    from ocr_otel.stack import StackError

    try:
        stations = checks.find_stations(directory, jaeger, prometheus)
    except StackError as error:
        stop(str(error))
    for finding in checks.check_stack(stations):
        yield [finding]


def _conclude(findings: list[Finding], form: Format, words: tuple[str, str]) -> NoReturn:
    from ocr_otel.cli.checks import Status

    good, bad = words
    failed = _names(findings, Status.FAIL)
    if form is Format.JSON:
        typer.echo(json.dumps({"ok": not failed, "checks": [asdict(each) for each in findings]}, indent=2))
    elif failed:
        typer.echo(f"\n{bad}: see {failed}.")
    elif warned := _names(findings, Status.WARN):
        typer.echo(f"\nNothing is broken, but see {warned}.")
    else:
        typer.echo(f"\n{good}.")
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
