"""`ocr-otel report`: a run as a page of HTML, as text in the terminal, as Markdown, or as JSON."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from ocr_otel.cli.locating import run_directory
from ocr_otel.cli.printing import missing_extra, print_or_write, stop, writing
from ocr_otel.cli.reading import reading

if TYPE_CHECKING:
    from ocr_otel.runs import Run


class Format(StrEnum):
    """In which form a run is reported."""

    HTML = "html"
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def report(
    run: Annotated[
        str | None, typer.Argument(help="Run directory, or the name of a run.", show_default="the newest run")
    ] = None,
    runs_dir: Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="HTML page, text, Markdown for a pull request, or JSON.")
    ] = Format.HTML,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write.", show_default="report.html in the run directory; else the terminal"
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Show where the time of a run went."""
    if open_it and form is not Format.HTML:
        stop("--open shows a page in a browser: leave out --format, or --open", status=2)
    directory = run_directory(run, runs_dir)
    if form is Format.HTML:
        path = write_html(directory, output)
        typer.echo(str(path))
        if open_it:
            _open(path)
    else:
        found = loaded(directory)
        print_or_write(output, lambda file: _render(found, form, file))


def write_html(directory: Path, output: Path | None) -> Path:
    """Write the page of a run and return where it is: `report.html` in the run directory by default.

    Raises:
        typer.Exit: The run cannot be read or the page not be written; it is said why.
    """
    path = output or directory / "report.html"
    try:
        from ocr_otel.report import html
    except ImportError as error:
        missing_extra("report", error)
    run = loaded(directory)
    with writing(path):
        html.render(run, path)
    return path


def loaded(directory: Path) -> Run:
    """Read a run directory.

    Raises:
        typer.Exit: It cannot be read; it is said why.
    """
    from ocr_otel.runs import RunError, load

    try:
        with reading(sum(path.stat().st_size for path in directory.rglob("*.jsonl") if path.is_file())) as progress:
            return load(directory, progress)
    except RunError as error:
        stop(str(error))
    except OSError as error:
        stop(f"{directory} cannot be read: {error.strerror or error}")


def _render(run: Run, form: Format, file: TextIO) -> None:
    if form is Format.JSON:
        from ocr_otel.report import as_json

        print(as_json.render(run), file=file)
    elif form is Format.MARKDOWN:
        from ocr_otel.report import markdown

        print(markdown.render(run), end="", file=file)
    else:
        from ocr_otel.report import text

        text.render(run, file)


def _open(path: Path) -> None:
    import webbrowser

    if not webbrowser.open(path.absolute().as_uri()):
        print("No browser could be opened here: copy the file to where one is.", file=sys.stderr)
