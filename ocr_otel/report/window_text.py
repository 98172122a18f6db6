"""What a trace of the profiler shows, in a terminal: the verdict, its evidence, and tables."""

from __future__ import annotations

from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocr_otel.diagnosis.verdict import Diagnosis, Verdict
from ocr_otel.diagnosis.words import count, duration
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.profiling.span_events import events_of
from ocr_otel.report.card import printable, without_it
from ocr_otel.report.tables import Table as Found
from ocr_otel.report.tables import tables

PIPE_WIDTH: Final = 160
"""Columns where there is no terminal to ask."""


def render(profile: WindowProfile, diagnosis: Diagnosis | None, file: TextIO, title: str) -> None:
    """Print what a trace shows.

    Args:
        profile: What it shows.
        diagnosis: What limits the training; None where it holds too little for that.
        file: Where to print.
        title: What the trace is called.
    """
    console = Console(file=file, highlight=False, width=None if file.isatty() else PIPE_WIDTH)
    console.print(Text(printable(f"{title}: {summary(profile)}"), "bold"))
    if diagnosis is None:
        console.print("There is too little in it for a verdict.")
    else:
        for place, verdict in enumerate(diagnosis.causes, start=1):
            _print_verdict(console, place, verdict)
        console.print(Text(printable(f"Judged by {diagnosis.basis}."), "dim"))
    for note in profile.notes:
        console.print(Text(printable(note), "dim"))
    for found in tables(events_of(profile)):
        console.print(_table(found))


def summary(profile: WindowProfile) -> str:
    """Return in one line how much was recorded, and how busy host and device were."""
    parts = [duration(profile.seconds)]
    if profile.batches:
        parts.append(count(len(profile.batches), "batch"))
    if profile.device is not None and profile.seconds > 0:
        parts.append(f"{profile.device.name or 'device'} busy {profile.device.busy / profile.seconds:.0%}")
    if profile.seconds > 0:
        parts.append(f"an operator on the host {profile.host.operators / profile.seconds:.0%} of the time")
    parts.append(f"{profile.events:,} events")
    return ", ".join(parts)


def _print_verdict(console: Console, place: int, verdict: Verdict) -> None:
    first = place == 1
    console.print(Text(printable(f"{place}. {verdict.kind}: {verdict.summary}"), "bold yellow" if first else ""))
    if verdict.advice:
        console.print(Text(printable(f"   Try: {verdict.advice}")))
    if faster := without_it(verdict):
        console.print(Text(printable(f"   {faster}")))
    if first:
        for evidence in verdict.evidence:
            console.print(Text(printable(f"   Evidence: {evidence}")))
        console.print(Text(printable(f"   Confidence: {verdict.confidence}")))


def _table(found: Found) -> Table:
    table = Table(title=printable(found.title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column, numeric in zip(found.columns, found.numeric, strict=True):
        table.add_column(
            Text(printable(column.name)),
            justify="right" if numeric else "left",
            no_wrap=numeric,
            overflow="fold",
            # A table of one row is read like a line; a long name must not push the numbers out.
            max_width=None if numeric else 64,
        )
    for row in found.rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table
