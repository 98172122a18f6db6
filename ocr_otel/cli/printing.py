"""What commands share when they speak to a person: errors in one sentence, and sizes and times in words."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, TextIO

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


def write_file(path: Path, write: Callable[[TextIO], None]) -> None:
    """Let something write a file, and print where it is.

    Raises:
        typer.Exit: It cannot be written; it is said why.
    """
    try:
        with path.open("w", encoding="utf-8") as file:
            write(file)
    except OSError as error:
        stop(f"{path} cannot be written: {error.strerror or error}")
    typer.echo(str(path))


def print_or_write(output: Path | None, write: Callable[[TextIO], None]) -> None:
    """Let something write to the terminal, or into a file where one is named; see `write_file`."""
    if output is None:
        write(sys.stdout)
    else:
        write_file(output, write)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write a file that has a name by default.

    Raises:
        typer.Exit: It cannot be written; it is said why, and that another one may be named.
    """
    try:
        yield
    except OSError as error:
        stop(f"{path} cannot be written: {error.strerror or error}. Name another file with --output.")


def size(number: float) -> str:
    """Return bytes in words, such as `3.1 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
