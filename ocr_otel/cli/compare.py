"""`ocr-otel compare`: what changed between runs, and whether the batch time did beyond its noise."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ocr_otel.cli.locating import run_directory
from ocr_otel.cli.printing import missing_extra, print_or_write, stop, writing
from ocr_otel.cli.report import loaded

if TYPE_CHECKING:
    from ocr_otel.comparison.data import Comparison


class Format(StrEnum):
    """In which form runs are compared."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"
    JSON = "json"


def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run directories, or names of runs: the one before, then one or several after.")
    ],
    runs_dir: Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Text, HTML page, Markdown for a pull request, or JSON.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="File to write.",
            show_default="comparison.html in the last run's directory; else the terminal",
        ),
    ] = None,
    level: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Probability of a false alarm, of all runs together.")
    ] = 0.05,
    least: Annotated[
        float, typer.Option("--min-change", min=0.0, max=10.0, help="Least change of the batch time that matters.")
    ] = 0.02,
    warmup: Annotated[int, typer.Option(min=0, help="Batches to leave out at the beginning of each run.")] = 20,
) -> None:
    """Show what changed between runs."""
    if len(runs) < 2:
        stop("compare needs two runs at least: the one before, and the one after", status=2)
    directories = [run_directory(run, runs_dir) for run in runs]
    try:
        from ocr_otel.comparison.build import compare as compared
        from ocr_otel.comparison.measuring import measured
    except ImportError as error:
        missing_extra("compare", error)
    base, *others = [measured(loaded(directory), warmup) for directory in directories]
    found = compared(base, others, level, least, warmup)
    if form is Format.HTML:
        _write_html(found, output or directories[-1] / "comparison.html", private=output is None)
    else:
        print_or_write(output, lambda file: _render(found, form, file))


def _render(found: Comparison, form: Format, file: TextIO) -> None:
    if form is Format.JSON:
        from ocr_otel.comparison import as_json

        print(as_json.render(found), file=file)
    elif form is Format.MARKDOWN:
        from ocr_otel.comparison import markdown

        print(markdown.render(found), end="", file=file)
    else:
        from ocr_otel.comparison import text

        text.render(found, file)


def _write_html(found: Comparison, path: Path, private: bool) -> None:
    try:
        from ocr_otel.comparison import html
    except ImportError as error:
        missing_extra("report", error)
    with writing(path):
        html.render(found, path, private)
    typer.echo(str(path))
