"""`ocr-otel demo`: trains a small OCR model with instrumentation on, and makes the report of it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer

from ocr_otel.cli.printing import stop

CONTEXT: Final = {"allow_extra_args": True, "ignore_unknown_options": True}
"""What the command does not know is the training script's."""

_NEEDED: Final = {"PIL": "pillow", "torchmetrics": "torchmetrics", "lightning": "lightning"}


def demo(
    context: typer.Context,
    slow_loader: Annotated[bool, typer.Option("--slow-loader", help="Make each image expensive to load.")] = False,
    slow_compute: Annotated[bool, typer.Option("--slow-compute", help="Make the model several times larger.")] = False,
    heavy_checkpoint: Annotated[
        bool, typer.Option("--heavy-checkpoint", help="Write large checkpoints, often.")
    ] = False,
) -> None:
    """Train a small OCR model, recorded, and report on it.

    Other options go to the training script: see `python -m ocr_otel.demo.train --help`. OCR_OTEL_* and OTEL_*
    variables are respected.
    """
    absent = [package for module, package in _NEEDED.items() if find_spec(module) is None]
    if absent:
        stop(f"the demo needs {', '.join(absent)}, not installed: pip install 'ocr_otel[demo,report]'")
    planted = {"--slow-loader": slow_loader, "--slow-compute": slow_compute, "--heavy-checkpoint": heavy_checkpoint}
    flags = [flag for flag, given in planted.items() if given]
    environment, directory = _environment()
    status = _train([*flags, *context.args], environment)
    if directory.is_dir():
        _report(directory)
    elif status == 0:
        typer.echo("No run directory was written: the telemetry went where the OTEL_* variables say, or is off.")
    raise typer.Exit(status)


def _environment() -> tuple[dict[str, str], Path]:
    from ocr_otel import settings

    try:
        loaded = settings.load()
    except settings.SettingsError as error:
        stop(str(error))
    run_id = loaded.run_id
    if run_id is None:
        # Named here, so that the run directory is known afterwards.
        from ocr_otel.telemetry import new_run_id

        run_id = f"demo-{new_run_id()}"
    defaults = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUN_ID": run_id}
    return {**defaults, **os.environ}, loaded.runs_dir / run_id


def _train(arguments: list[str], environment: dict[str, str]) -> int:
    with subprocess.Popen([sys.executable, "-m", "ocr_otel.demo.train", *arguments], env=environment) as process:
        while True:
            try:
                status = process.wait()
                break
            except KeyboardInterrupt:
                # Ctrl-C reached the training as well: it ends its run, and what it recorded is reported.
                continue
    return status if status >= 0 else 128 - status


def _report(directory: Path) -> None:
    from ocr_otel.cli.report import write_html

    try:
        path = write_html(directory, None)
    except typer.Exit:
        return
    typer.echo(f"\nReport: {path}")
