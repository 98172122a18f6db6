"""Shows how far the reading of long files is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

LONG: Final = 16_000_000
"""Bytes from which on reading takes long enough to show how far it is."""


@contextmanager
def reading(size: int) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar while something is read, in a terminal and where it is long.

    Args:
        size: Bytes that are read.

    Yields:
        What is to be called with the bytes that were read and those that there are; None where nothing is shown.
    """
    if size < LONG or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    with Progress(
        "Reading", BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=console, transient=True
    ) as bar:
        task = bar.add_task("read", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
