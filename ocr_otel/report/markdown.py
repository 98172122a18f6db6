"""The report as GitHub-flavoured Markdown, for a pull request: verdict, evidence, time budget, epochs, windows."""

from __future__ import annotations

from typing import Final

from ocr_otel.diagnosis import Verdict
from ocr_otel.diagnosis.words import duration
from ocr_otel.report.build import UNFINISHED, build
from ocr_otel.report.card import cause_of, mark_of, parts_of, without_it
from ocr_otel.report.data import ReportData
from ocr_otel.report.gfm import code, folded, table, text
from ocr_otel.report.hangs import MAX_HANGS
from ocr_otel.report.ranks import COLUMNS, cells, latest, left_out
from ocr_otel.report.records import severe
from ocr_otel.report.tables import Table
from ocr_otel.report.windows import WindowRow
from ocr_otel.runs import Run

BAR_WIDTH: Final = 20
MAX_EPOCHS: Final = 20
"""Epochs in the table: the last ones."""
MAX_RANKS: Final = 16
"""Ranks in the table: those that arrive latest."""
MAX_WINDOWS: Final = 10
"""Windows in the table: the newest."""
MAX_TABLES: Final = 3
MAX_TABLE_ROWS: Final = 8
"""Rows of the tables of the window that shows the verdict best; the page has the rest."""


def render(run: Run) -> str:
    """Return the report of a run."""
    data = build(run)
    parts = [
        *_head(data),
        *_verdict(data),
        *_budget(data),
        *_ranks(data),
        *_epochs(data),
        *_windows(data),
        *_records(data),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(data: ReportData) -> list[str]:
    counts = [duration(data.wall)]
    counts += [
        f"{number:,} {name}" for number, name in ((data.batches, "batches"), (data.samples, "samples")) if number
    ]
    if data.p50:
        counts.append(f"median batch {duration(data.p50)}, p95 {duration(data.p95)}")
    if data.slow_batches:
        counts.append(f"{data.slow_batches:,} slow")
    if data.goodput is not None:
        counts.append(f"goodput {data.goodput:.0%}")
    if len(data.ranks) > 1:
        counts.append(f"{len(data.ranks)} ranks")
    lines = [f"### {text(data.entry or 'run')} {text(data.outcome)}: {code(data.run_id)}", ", ".join(counts)]
    lines.append(f"{text(data.attempt)}." if data.attempt else "")
    lines.append(f"**{text(data.outcome).capitalize()}: {text(data.exception)}**" if data.exception else "")
    return [*lines, *(f"**{text(hang.sentence)}.**" for hang in data.hangs[-MAX_HANGS:])]


def _verdict(data: ReportData) -> list[str]:
    if data.diagnosis is None:
        return ["Too few training batches for a verdict."]
    first, basis = data.diagnosis.verdict, data.diagnosis.basis
    found = [f"**{text(first.summary)}** {text(first.advice)}".rstrip()]
    found.append(f"{_bound(first)} From {text(basis)}." if basis else _bound(first))
    if data.outcome == UNFINISHED:
        found.append(f"Judged by the first {duration(data.budget.wall)}, of which the parts are known.")
    found.append(evidence(first))
    if data.diagnosis.causes[1:]:
        further = [
            f"{place}. **{text(each.summary)}** {text(each.advice)} {_bound(each)}"
            for place, each in enumerate(data.diagnosis.causes[1:], start=2)
        ]
        found.append(folded("What would come next", "\n".join(further)))
    return found


def _bound(verdict: Verdict) -> str:
    return f"{without_it(verdict)} Confidence: {verdict.confidence}.".lstrip()


def evidence(verdict: Verdict) -> str:
    """Return the evidence of a verdict as a table; empty without one."""
    if not verdict.evidence:
        return ""
    rows = [(text(each.name), text(each.value), text(each.source)) for each in verdict.evidence]
    return table(("evidence", "value", "source"), rows, (False, False, False))


def _budget(data: ReportData) -> list[str]:
    if data.budget.wall <= 0 or not (data.epochs or data.budget.batches):
        return []
    cause, mark = cause_of(data.verdict, data.budget), mark_of(data.verdict, data.budget)
    rows = []
    for name, seconds in parts_of(data.budget):
        share = seconds / data.budget.wall
        shown = f"**{name}** ← {mark}" if name in cause else name
        rows.append((shown, f"{share:.0%}", duration(seconds), "█" * round(share * BAR_WIDTH)))
    return ["#### Where the time went", table(("part", "share", "time", ""), rows, (False, True, True, False))]


def _ranks(data: ReportData) -> list[str]:
    if len(data.ranks) < 2:
        return []
    sentence = text(data.straggling.sentence)
    shown = [[text(cell) for cell in cells(row)] for row in latest(data.ranks, MAX_RANKS)]
    more = left_out(data.ranks, MAX_RANKS)
    title = f"Ranks ({more or len(data.ranks)})"
    numeric = [column != "host" for column in COLUMNS]
    return [
        "#### Ranks",
        f"**{sentence}**" if data.straggling.rank is not None else sentence,
        folded(title, table(COLUMNS, shown, numeric)),
    ]


def _epochs(data: ReportData) -> list[str]:
    if not data.epochs:
        return []
    logged = sorted({name for epoch in data.epochs for name in epoch.logged})[:4]
    columns = ("epoch", "wall", "samples/s", "p50", "p95", "slow", "waiting", *(text(name) for name in logged))
    rows = [
        (
            str(epoch.epoch),
            duration(epoch.budget.wall),
            f"{epoch.throughput:,.1f}",
            duration(epoch.p50),
            duration(epoch.p95),
            str(epoch.slow_batches),
            f"{epoch.data_wait:.0%}",
            *(f"{epoch.logged[name]:.4g}" if name in epoch.logged else "" for name in logged),
        )
        for epoch in data.epochs[-MAX_EPOCHS:]
    ]
    most = f", the last {MAX_EPOCHS}" if len(data.epochs) > MAX_EPOCHS else ""
    return [folded(f"Epochs ({len(data.epochs)}{most})", table(columns, rows, [True] * len(columns)))]


def _records(data: ReportData) -> list[str]:
    if not data.records:
        return []
    rows = [
        (text(row.level), text(row.text), code(row.logger), f"{row.times:,}", text(row.place))
        for row in severe(data.records)
    ]
    said = f"The program logged {text(data.records_in_all)}."
    columns = ("level", "message", "logger", "times", "where")
    return (
        [said, folded("Errors and warnings", table(columns, rows, (False, False, False, True, False)))]
        if rows
        else [said]
    )


def _windows(data: ReportData) -> list[str]:
    if not data.windows:
        return []
    columns = ("window", "open for", "stood still", "verdict", "trace")
    rows = [_window(row) for row in data.windows[-MAX_WINDOWS:]]
    most = f", the last {MAX_WINDOWS}" if data.windows_in_all > MAX_WINDOWS else ""
    found = [f"#### Profiler windows ({data.windows_in_all}{most})"]
    found.append(table(columns, rows, (False, True, True, False, False)))
    shown = data.windows[data.telling if data.telling is not None else -1]
    several = [each for each in shown.tables if len(each.rows) > 1][:MAX_TABLES]
    if several:
        found.append(folded(shown.title, *(f"{text(each.title)}\n\n{listed(each)}" for each in several)))
    return found


def _window(row: WindowRow) -> tuple[str, ...]:
    first = row.diagnosis.verdict if row.diagnosis is not None else None
    return (
        text(f"{row.title}, rank {row.rank}" if row.rank else row.title),
        duration(row.seconds),
        duration(row.overhead) if row.overhead is not None else "",
        f"{text(first.kind)} {first.share:.0%}" if first is not None else text(row.failed),
        code(f"profiles/{row.file}") if row.present else "",
    )


def listed(found: Table) -> str:
    """Return events of a window as a table; of very many the first."""
    rows = [
        [text(value) if found.numeric[place] else code(value) for place, value in enumerate(row)]
        for row in found.rows[:MAX_TABLE_ROWS]
    ]
    return table([text(each.name) for each in found.columns], rows, found.numeric)
