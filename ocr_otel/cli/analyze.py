"""`ocr-otel analyze`: what a trace of PyTorch's profiler shows, and what limits the training in it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from ocr_otel.cli.locating import run_directory
from ocr_otel.cli.printing import missing_extra, print_or_write, stop, writing
from ocr_otel.cli.reading import reading

if TYPE_CHECKING:
    from ocr_otel.diagnosis import Diagnosis
    from ocr_otel.profiling.profile import WindowProfile


class Format(StrEnum):
    """In which form it is told."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


def analyze(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="FILE|RUN",
            help="A trace as torch.profiler exports it, plain or gzipped; or a run, for its newest window.",
            show_default="the newest run",
        ),
    ] = None,
    runs_dir: Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")] = None,
    form: Annotated[
        Format, typer.Option("--format", help="Text, JSON, Markdown for a pull request, or an HTML page.")
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write.", show_default="the terminal; HTML beside the trace"),
    ] = None,
) -> None:
    """Say what limits a training, by a trace of PyTorch's profiler."""
    path, known = _meant(what, runs_dir)
    profile = _read(path)
    diagnosis = _diagnosed(profile, known)
    if form is Format.HTML:
        typer.echo(str(_write_html(profile, diagnosis, path, output)))
    else:
        print_or_write(output, lambda file: _render(profile, diagnosis, form, path.name, file))


def _meant(what: str | None, runs_dir: Path | None) -> tuple[Path, dict[str, Any]]:
    """Return the trace file that is meant, and what the run that it belongs to knows."""
    if what is not None and (Path(what).is_file() or (Path(what).suffix and not Path(what).exists())):
        return Path(what), {}
    from ocr_otel.runs.traces import traces

    run = run_directory(what, runs_dir)
    found = traces(run)
    if not found:
        stop(
            f"{run} holds no trace of the profiler. Ask for a window while it trains with `ocr-otel profile "
            f"{run.name}`, or set OCR_OTEL_PROFILE_EVERY before it starts."
        )
    more = f", the newest of {len(found)}" if len(found) > 1 else ""
    typer.echo(f"{found[0]}{more}", err=True)
    return found[0], _known(run)


def _known(run: Path) -> dict[str, Any]:
    """Return what the run says of its configuration and machine, which makes the advice more exact."""
    from ocr_otel.runs import RunError, load

    try:
        entries = load(run).entries
    except (RunError, OSError):
        return {}
    if not entries:
        return {}
    entry = entries[-1]
    latest = entry.epochs[-1].span.attributes if entry.epochs else {}
    return {**entry.configuration, **latest}


def _read(path: Path) -> WindowProfile:
    from ocr_otel.profiling.kineto.analysis import profile_of
    from ocr_otel.profiling.kineto.source import TraceError

    try:
        with reading(path.stat().st_size if path.is_file() else 0) as progress:
            return profile_of(path, progress)
    except TraceError as error:
        stop(str(error))
    except MemoryError:
        stop(f"{path} has more events than there is memory for.")


def _diagnosed(profile: WindowProfile, known: dict[str, Any]) -> Diagnosis | None:
    from ocr_otel.diagnosis import Observation, diagnose

    return diagnose(Observation.of_window(profile, known))


def _render(profile: WindowProfile, diagnosis: Diagnosis | None, form: Format, title: str, file: TextIO) -> None:
    if form is Format.JSON:
        from ocr_otel.report import window_json

        print(window_json.render(profile, diagnosis, title), file=file)
    elif form is Format.MARKDOWN:
        from ocr_otel.report import window_markdown

        print(window_markdown.render(profile, diagnosis, title), end="", file=file)
    else:
        from ocr_otel.report import window_text

        window_text.render(profile, diagnosis, file, title)


def _write_html(profile: WindowProfile, diagnosis: Diagnosis | None, trace: Path, output: Path | None) -> Path:
    try:
        from ocr_otel.report import window_html
    except ImportError as error:
        missing_extra("report", error)
    path = output or trace.with_name(trace.name.removesuffix(".gz").removesuffix(".json") + ".html")
    with writing(path):
        window_html.render(profile, diagnosis, path, trace.name, beside=output is None)
    return path
