"""What commands share when they speak to a person: errors in one sentence, and sizes and times in words."""

from __future__ import annotations

from typing import NoReturn

import typer


def stop(message: str, status: int = 1) -> NoReturn:
    """Print what is wrong on standard error and end the command.

    Raises:
        typer.Exit: Always.
    """
    typer.echo(f"ocr-otel: {message}", err=True)
    raise typer.Exit(status)


def missing_extra(extra: str, error: ImportError) -> NoReturn:
    """End the command because an optional package is not installed.

    Raises:
        typer.Exit: Always.
    """
    stop(f"this command needs {error.name}, which is not installed: pip install 'ocr_otel[{extra}]'")


def size(number: float) -> str:
    """Return bytes in words, such as `3.1 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
