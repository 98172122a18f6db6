"""`ocr-otel baseline`: what a training must keep to, in a file that is committed, and whether a run does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from ocr_otel.cli.locating import run_directory
from ocr_otel.cli.printing import missing_extra, stop

FILE: Final = Path("ocr-otel-baseline.json")
CANNOT: Final = 2
"""Exit status where there is nothing to judge: a file or a run that cannot be read."""
WORSE: Final = 3
"""Exit status of a run that does not keep to its baseline."""

app: Final = typer.Typer(
    help="Guard the speed of a training: save a baseline, and check runs against it.", no_args_is_help=True
)

Run = Annotated[str | None, typer.Argument(help="Run directory, or the name of a run.", show_default="the newest run")]
RunsDir = Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")]
File = Annotated[Path, typer.Option("--baseline", "-b", help="The baseline file.")]


class Format(StrEnum):
    """In which form the outcome is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"


@app.command()
def save(
    run: Run = None,
    runs_dir: RunsDir = None,
    baseline: File = FILE,
    measure: Annotated[
        list[str] | None,
        typer.Option(help="Measure to hold; may be given several times.", show_default="the usual ones"),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="Share by which a measure may become worse.")
    ] = 0.1,
) -> None:
    """Write a baseline file from a run; of one that is there the tolerances and limits stay."""
    from ocr_otel.baseline.file import BaselineError
    from ocr_otel.baseline.guard import save_run
    from ocr_otel.baseline.measures import MEASURES
    from ocr_otel.runs import RunError

    for name in measure or ():
        if name not in MEASURES:
            stop(f"there is no measure {name!r}: {', '.join(MEASURES)}", status=CANNOT)
    directory = run_directory(run, runs_dir)
    try:
        held = save_run(directory, baseline, measure or (), tolerance)
    except (BaselineError, RunError) as error:
        stop(str(error), status=CANNOT)
    except OSError as error:
        stop(f"{error.filename or baseline}: {error.strerror or error}", status=CANNOT)
    for name in measure or ():
        if name not in held:
            stop(f"{baseline} was written without {name}: {directory} does not have it", status=CANNOT)
    typer.echo(f"{baseline}: {', '.join(held) or 'nothing, for the run has no measure'}")


@app.command()
def check(
    run: Run = None,
    runs_dir: RunsDir = None,
    baseline: File = FILE,
    form: Annotated[Format, typer.Option("--format", help="Text, or Markdown.")] = Format.TEXT,
    junit: Annotated[Path | None, typer.Option(help="JUnit XML file to write.")] = None,
    summary: Annotated[
        Path | None, typer.Option(help="File to which the outcome is added as Markdown, such as $GITHUB_STEP_SUMMARY.")
    ] = None,
) -> None:
    """Check a run against a baseline: exit status 0 where it keeps to it, 3 where not, 2 where that cannot be told."""
    from ocr_otel.baseline import results
    from ocr_otel.baseline.file import BaselineError
    from ocr_otel.baseline.guard import check_run
    from ocr_otel.runs import RunError

    directory = run_directory(run, runs_dir)
    try:
        name, found = check_run(directory, baseline)
    except (BaselineError, RunError) as error:
        stop(str(error), status=CANNOT)
    except OSError as error:
        stop(f"{directory} cannot be read: {error.strerror or error}", status=CANNOT)
    markdown = results.as_markdown(name, found)
    typer.echo(markdown if form is Format.MARKDOWN else results.as_text(name, found))
    try:
        if junit is not None:
            results.write_junit(junit, name, found)
        if summary is not None:
            with summary.open("a", encoding="utf-8") as file:
                file.write(markdown)
    except ImportError as error:
        missing_extra("compare", error)
    except OSError as error:
        stop(f"{error.filename} cannot be written: {error.strerror or error}", status=CANNOT)
    if any(each.failed for each in found):
        raise typer.Exit(WORSE)
