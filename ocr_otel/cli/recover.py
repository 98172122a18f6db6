"""`ocr-otel recover`: ends the runs that were killed together with their watchdogs, or with their host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocr_otel.cli.locating import runs_directory
from ocr_otel.cli.printing import stop

if TYPE_CHECKING:
    from ocr_otel.watchdog.recovery import Recovery


def recover(
    where: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RUN or DIR]", help="A run, or the directory of all runs.", show_default="OCR_OTEL_RUNS_DIR"
        ),
    ] = None,
    other_hosts: Annotated[
        bool,
        typer.Option(
            "--other-hosts", help="End also runs of other hosts: only you know that none of them goes on there."
        ),
    ] = False,
) -> None:
    """End what runs that were killed have left open.

    The watchdog of a run does it, unless it was killed together with it, or with its host. A new run in the same
    directory does it by itself.
    """
    base = _directory(where)
    from ocr_otel.watchdog.recovery import recover as end_runs

    found: list[Recovery] = []
    for each in end_runs(base, other_hosts):
        typer.echo(f"{each.directory}: {_words(each)}.", err=each.failed)
        found.append(each)
    if not found:
        typer.echo(f"Nothing to do: every run in {base} has ended.")
    if any(each.failed for each in found):
        raise typer.Exit(1)


def _directory(where: Path | None) -> Path:
    base = runs_directory(where)
    if base.is_dir():
        return base
    if where is None:
        stop(f"{base} is not there: name a run or the directory of the runs.")
    inside = runs_directory(None) / where
    if not inside.is_dir():
        stop(f"{where} is neither a directory nor a run in {inside.parent}.")
    return inside


def _words(each: Recovery) -> str:
    if each.end is None:
        return f"left as it is: {each.left}"
    if not each.spans:
        return "nothing was open"
    ended = f"ended {each.spans} span{'s' * (each.spans != 1)}: {each.end.summary}"
    if each.delivered:
        return ended
    return f"{ended}; not delivered yet, `ocr-otel replay {each.directory} --endpoint URL` does it"
