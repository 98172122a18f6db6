"""`ocr-otel watch`: a live page of a training that runs, or the same in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from ocr_otel.cli.locating import run_directory, runs_directory
from ocr_otel.cli.printing import missing_extra, stop

PORT: Final = 8765
RECEIVED: Final = "received"
"""Directory below that of the runs for those that are sent here."""


def watch(
    run: Annotated[
        str | None,
        typer.Argument(help="Run directory, or the name of a run.", show_default="all runs"),
    ] = None,
    runs_dir: Annotated[Path | None, typer.Option(help="Where the runs are.", show_default="OCR_OTEL_RUNS_DIR")] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any but loopback shows the runs to who has the token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")] = PORT,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    endpoint: Annotated[
        bool,
        typer.Option(
            "--endpoint", help="Take OTLP/HTTP as well, and show the runs that are sent; they are kept in --runs-dir."
        ),
    ] = False,
    tui: Annotated[bool, typer.Option("--tui", help="Show it in the terminal, without a server.")] = False,
) -> None:
    """Watch a training while it runs: progress, phases, throughput, slow batches, resources, verdict."""
    if endpoint and (run is not None or tui):
        stop("--endpoint shows all runs that are sent: leave out the run, and --tui", status=2)
    if tui:
        _in_terminal(run_directory(run, runs_dir))
        return
    try:
        from ocr_otel.watch import serving
        from ocr_otel.watch.library import Library
    except ImportError as error:
        missing_extra("watch", error)
    only = run_directory(run, runs_dir) if run is not None else None
    # A directory of their own: the files of a run that records itself are not written to.
    received = runs_dir or runs_directory(None) / RECEIVED
    base = only.parent if only is not None else received if endpoint else runs_directory(runs_dir)

    def ready(address: str, token: str) -> None:
        typer.echo(f"Watching {only or base}: {address}/?token={token}")
        if endpoint:
            typer.echo(
                f"Send a training here with:\n  export OTEL_EXPORTER_OTLP_ENDPOINT={address}\n"
                "  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
                f'  export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20{token}"'
            )
        typer.echo("End it with Ctrl-C; the training does not notice.")
        if not serving.is_loopback(host):
            typer.echo("This is not loopback: who has this address sees the runs, and can ask for a window.", err=True)
        if open_it:
            import webbrowser

            webbrowser.open(f"{address}/?token={token}")

    receiver = None
    if endpoint:
        from ocr_otel.watch.receiving import Receiver

        receiver = Receiver(base)
    try:
        serving.serve(Library(base, only), host, port, ready, receiver)
    except serving.PortError as error:
        stop(f"{error}. Name another one with --port; --port 0 takes one that is free.")


def _in_terminal(directory: Path) -> None:
    from rich.console import Console

    from ocr_otel.runs import RunError

    try:
        from ocr_otel.watch import terminal
    except ImportError as error:
        missing_extra("watch", error)
    try:
        terminal.show(directory, Console())
    except (RunError, OSError) as error:
        stop(f"{directory} cannot be watched: {error}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
