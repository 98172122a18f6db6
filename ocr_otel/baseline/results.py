"""The outcome of a check as text, Markdown and JUnit XML."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ocr_otel.baseline.check import Result, Status
from ocr_otel.report.card import printable
from ocr_otel.report.gfm import code, table, text

COLUMNS: Final = ("", "measure", "now", "baseline", "change", "allowed")
_MARKS: Final = {Status.KEPT: "✅", Status.BETTER: "🎉", Status.WORSE: "❌", Status.MISSING: "❓"}


def summary(results: list[Result]) -> str:
    """Return the outcome in one sentence."""
    failed = [result for result in results if result.failed]
    if failed:
        return f"{len(failed)} of {len(results)} measures do not keep to the baseline."
    better = [result.name for result in results if result.status is Status.BETTER]
    more = f" Better by more than the tolerance: {', '.join(better)}; save it anew to hold that." if better else ""
    left = [result.name for result in results if result.status is Status.MISSING]
    out = f" Not measured, and not required: {', '.join(left)}." if left else ""
    return f"All {len(results) - len(left)} measures keep to the baseline.{out}{more}"


def as_text(run: str, results: list[Result]) -> str:
    """Return lines for a terminal."""
    rows = [
        (str(each.status), each.name, each.shown or "–", each.baseline, each.change, each.allowed) for each in results
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(6)] if rows else []
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join((f"{printable(run)}: {summary(results)}", *lines))


def as_markdown(run: str, results: list[Result]) -> str:
    """Return GitHub-flavoured Markdown for a job's summary or a pull request."""
    rows = [
        (
            _MARKS[each.status] if each.failed or each.status is not Status.MISSING else "–",
            code(each.name),
            text(each.shown or each.status),
            text(each.baseline),
            text(each.change),
            text(each.allowed),
        )
        for each in results
    ]
    shown = table(COLUMNS, rows, (False, False, True, True, True, False))
    return f"### Training baseline: {code(run)}\n\n**{text(summary(results))}**\n\n{shown}\n"


def write_junit(path: Path, run: str, results: list[Result]) -> None:
    """Write JUnit XML: one test case for each measure.

    Raises:
        ImportError: junitparser is not installed.
        OSError: The file cannot be written.
    """
    from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

    suite = TestSuite("ocr_otel baseline")
    suite.add_property("run", printable(run))
    for each in results:
        case = TestCase(each.name, "ocr_otel.baseline")
        if each.failed:
            case.result = [Failure(each.sentence, str(each.status))]
        elif each.status is Status.MISSING:
            case.result = [Skipped(each.sentence)]
        suite.add_testcase(case)
    found = JUnitXml()
    found.add_testsuite(suite)
    found.write(str(path), pretty=True)
