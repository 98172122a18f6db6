"""The command line `ocr-otel`; what a command needs is imported when it runs, so that `--help` is there at once."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ocr_otel import __version__
from ocr_otel.cli import analyze, baseline, compare, demo, doctor, profile, recover, replay, report, stack, watch

app: Final = typer.Typer(
    name="ocr-otel",
    help="See where the time of an OCR training goes: try it, check a setup, read a run, send a run elsewhere.",
    no_args_is_help=True,
    # Typer's help through Rich costs 200 ms of imports at each call.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command("demo", context_settings=demo.CONTEXT)(demo.demo)
app.command("report")(report.report)
app.command("compare")(compare.compare)
app.command("analyze")(analyze.analyze)
app.command("profile")(profile.profile)
app.command("watch")(watch.watch)
app.command("doctor")(doctor.doctor)
app.command("replay")(replay.replay)
app.command("recover")(recover.recover)
app.add_typer(baseline.app, name="baseline")
app.add_typer(stack.app, name="stack")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"ocr-otel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
