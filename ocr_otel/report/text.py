"""The report in a terminal: the card, and a table of epochs."""

from __future__ import annotations

from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ocr_otel.diagnosis import Diagnosis
from ocr_otel.diagnosis.words import duration
from ocr_otel.report.build import build
from ocr_otel.report.card import CardFacts, bound_of, printable, render_card
from ocr_otel.report.data import ReportData
from ocr_otel.report.hangs import MAX_HANGS
from ocr_otel.report.quantities import quantity
from ocr_otel.report.ranks import COLUMNS, RankRow, cells, latest, left_out
from ocr_otel.report.readings import Kind, Resources
from ocr_otel.report.records import severe
from ocr_otel.report.windows import WindowRow
from ocr_otel.runs import Run

PIPE_WIDTH: Final = 160
"""Columns where there is no terminal to ask."""
MAX_EPOCHS: Final = 40
"""Epochs in the table; a terminal shows no more at once, and the HTML report has them all."""
MAX_SHOWN: Final = 12
"""Windows of the profiler in the table: the newest."""
MAX_RANKS: Final = 16
"""Ranks in the table: those that arrive latest."""
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
            straggler=data.straggling.sentence if data.straggling.rank is not None else "",
        ),
        file,
    )
    console = Console(file=file, highlight=False, width=None if file.isatty() else PIPE_WIDTH)
    for line in _causes(data.diagnosis):
        console.print(Text(printable(line)))
    if data.attempt:
        console.print(Text(printable(f"{data.attempt}.")))
    if data.exception:
        console.print(Text(printable(f"{data.outcome.capitalize()}: {data.exception}"), "red"))
    for hang in data.hangs[-MAX_HANGS:]:
        console.print(Text(printable(f"{hang.sentence}."), "red"))
    if data.epochs:
        console.print(_epochs(data, console.width))
    if len(data.epochs) > MAX_EPOCHS:
        console.print(f"(the last {MAX_EPOCHS} of {len(data.epochs)} epochs)")
    if len(data.ranks) > 1:
        if data.straggling.rank is None:
            console.print(Text(printable(data.straggling.sentence)))
        console.print(_ranks(data.ranks))
        if more := left_out(data.ranks, MAX_RANKS):
            console.print(f"({more})")
    if data.windows:
        console.print(_windows(data.windows))
    if data.resources.plots:
        console.print(_resources(data.resources))
    if data.resources.out_of_memory:
        held = ", ".join(f"{fact.name.lower()} {fact.value}" for fact in data.resources.out_of_memory)
        console.print(Text(printable(f"Memory ran out: {held}"), "red"))
    for sentence in filter(None, (data.resources.growth, " ".join(data.resources.sentences))):
        console.print(Text(printable(sentence)))
    if data.records:
        console.print(Text(f"The program logged {data.records_in_all}."))
    for row in severe(data.records):
        console.print(Text(printable(row.sentence), "red" if row.level == "error" else "yellow"))
    for entry in data.other_entries:
        console.print(Text(printable(f"{entry.name}: {entry.outcome} in {duration(entry.seconds)}")))
    if data.damaged:
        more = ", ..." if len(data.damaged) > MAX_DAMAGED else ""
        named = printable(", ".join(data.damaged[:MAX_DAMAGED]))
        console.print(Text(f"Damaged lines left out: {named}{more}", "yellow"))
    if data.left_out:
        console.print(Text(f"Damaged spans left out: {data.left_out}", "yellow"))


def _causes(diagnosis: Diagnosis | None) -> list[str]:
    """Return the evidence of the verdict, and what would come next."""
    if diagnosis is None:
        return []
    lines = [f"Evidence: {each}" for each in diagnosis.verdict.evidence]
    basis = f", from {diagnosis.basis}" if diagnosis.basis else ""
    lines.append(f"Confidence: {diagnosis.verdict.confidence}{basis}")
    for place, each in enumerate(diagnosis.causes[1:], start=2):
        bound = bound_of(each)
        lines.append(f"{place}. {each.summary}{f' Without it {bound}.' if bound else ''} {each.advice}".rstrip())
    return lines


def _ranks(rows: list[RankRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "host" else "right", no_wrap=True)
    for row in latest(rows, MAX_RANKS):
        table.add_row(*(Text(printable(cell)) for cell in cells(row)))
    return table


def _windows(windows: list[WindowRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("profiler window", "open for", "stood still"):
        table.add_column(
            column, no_wrap=column != "profiler window", justify="right" if column != "profiler window" else "left"
        )
    table.add_column("verdict")
    table.add_column("trace")
    for row in windows[-MAX_SHOWN:]:
        found = row.diagnosis.verdict if row.diagnosis is not None else None
        verdict = f"{found.kind} {found.share:.0%}" if found is not None else row.failed
        rank = f", rank {row.rank}" if row.rank else ""
        overhead = duration(row.overhead) if row.overhead is not None else ""
        file = f"profiles/{row.file}" if row.present else "removed" if row.file else ""
        cells = (row.title + rank, duration(row.seconds), overhead, verdict, file)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


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
