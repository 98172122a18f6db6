"""The report in a terminal: the card, and a table of epochs."""

from __future__ import annotations

from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocr_otel.report.build import build
from ocr_otel.report.card import CardFacts, duration, printable, render_card
from ocr_otel.report.data import ReportData
from ocr_otel.report.quantities import quantity
from ocr_otel.report.readings import Kind, Resources
from ocr_otel.runs import Run

PIPE_WIDTH: Final = 160
"""Columns where there is no terminal to ask."""
MAX_EPOCHS: Final = 40
"""Epochs in the table; a terminal shows no more at once, and the HTML report has them all."""
MAX_DAMAGED: Final = 10
MAX_NAMED: Final = 6
"""Devices, processes or directions in the line of a reading; HTML and JSON have them all."""
NARROW: Final = 100
"""Columns below which the table leaves out what was logged."""


def render(run: Run, file: TextIO) -> None:
    """Print the report of a run."""
    data = build(run)
    render_card(
        data.budget,
        data.verdict,
        CardFacts(
            entry=data.entry or "run",
            outcome=data.outcome,
            seconds=data.wall,
            batches=data.batches,
            samples=data.samples,
            slow_batches=data.slow_batches,
            batch_p50=data.p50,
            batch_p95=data.p95,
            goodput=data.goodput,
            time_to_first_batch=data.time_to_first_batch,
            mfu=data.mfu,
            amp_skipped_steps=data.skipped_steps,
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
        console.print(_epochs(data, console.width))
    if len(data.epochs) > MAX_EPOCHS:
        console.print(f"(the last {MAX_EPOCHS} of {len(data.epochs)} epochs)")
    if data.resources.plots:
        console.print(_resources(data.resources))
    if data.resources.out_of_memory:
        held = ", ".join(f"{fact.name.lower()} {fact.value}" for fact in data.resources.out_of_memory)
        console.print(Text(printable(f"Memory ran out: {held}"), "red"))
    for sentence in filter(None, (data.resources.growth, " ".join(data.resources.sentences))):
        console.print(Text(printable(sentence)))
    for entry in data.other_entries:
        console.print(Text(printable(f"{entry.name}: {entry.outcome} in {duration(entry.seconds)}")))
    if data.damaged:
        more = ", ..." if len(data.damaged) > MAX_DAMAGED else ""
        named = printable(", ".join(data.damaged[:MAX_DAMAGED]))
        console.print(Text(f"Damaged lines left out: {named}{more}", "yellow"))
    if data.left_out:
        console.print(Text(f"Damaged spans left out: {data.left_out}", "yellow"))


def _resources(found: Resources) -> Table:
    """Return what is looked at first of the machine: means over the run, and limits."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column()
    for plot in found.plots:
        if plot.brief:
            parts = [
                f"{line.name} {quantity(line.last if line.kind is Kind.LIMIT else line.mean, plot.unit)}".strip()
                for line in plot.lines
            ]
            more = f", {len(parts) - MAX_NAMED} more" if len(parts) > MAX_NAMED else ""
            table.add_row(plot.brief, Text(printable(", ".join(parts[:MAX_NAMED]) + more)))
    return table


def _epochs(data: ReportData, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    logged = sorted({name for epoch in data.epochs for name in epoch.logged})[: 4 if width >= NARROW else 0]
    for column in ("epoch", "wall", "samples/s", "median", "p95", "slow", "waiting", "validation"):
        table.add_column(column, justify="right", no_wrap=True)
    for name in logged:
        table.add_column(Text(printable(name)[:24]), justify="right", no_wrap=True)
    for epoch in data.epochs[-MAX_EPOCHS:]:
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
