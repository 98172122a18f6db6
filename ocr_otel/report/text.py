"""The report in a terminal: the card, and a table of epochs."""

from __future__ import annotations

from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocr_otel.report.build import ReportData, build
from ocr_otel.report.card import CardFacts, duration, printable, render_card
from ocr_otel.runs import Run

PIPE_WIDTH = 160
"""Columns where there is no terminal to ask."""


def render(run: Run, file: TextIO) -> None:
    """Print the report of a run."""
    data = build(run)
    last = data.epochs[-1] if data.epochs else None
    render_card(
        data.budget,
        data.verdict,
        CardFacts(
            entry=data.entry or "run",
            outcome=printable(data.outcome),
            seconds=data.wall,
            batches=data.batches,
            samples=data.samples,
            slow_batches=sum(epoch.slow_batches for epoch in data.epochs),
            batch_p50=last.p50 if last else 0.0,
            batch_p95=last.p95 if last else 0.0,
            goodput=data.goodput,
            time_to_first_batch=data.time_to_first_batch,
            mfu=data.mfu,
            amp_skipped_steps=0,
            spans_lost=data.dropped,
            destination=run.directory,
            report_command=f"ocr-otel report {run.directory}",
        ),
        file,
    )
    console = Console(file=file, highlight=False, width=None if file.isatty() else PIPE_WIDTH)
    if data.exception:
        console.print(Text(printable(f"Failed with {data.exception}"), "red"))
    if data.epochs:
        console.print(_epochs(data))
    if data.damaged:
        console.print(Text(f"Damaged lines left out: {', '.join(data.damaged[:10])}", "yellow"))


def _epochs(data: ReportData) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    logged = sorted({name for epoch in data.epochs for name in epoch.logged})[:4]
    for column in ("epoch", "wall", "samples/s", "median", "p95", "slow", "waiting", "validation"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in logged:
        table.add_column(Text(printable(name)), justify="right", no_wrap=True)
    for epoch in data.epochs:
        table.add_row(
            str(epoch.epoch),
            duration(epoch.budget.wall),
            f"{epoch.throughput:,.1f}",
            duration(epoch.p50),
            duration(epoch.p95),
            str(epoch.slow_batches),
            f"{epoch.data_wait:.0%}",
            duration(epoch.budget.validation),
            *(f"{epoch.logged[name]:.4g}" if name in epoch.logged else "" for name in logged),
        )
    return table
