"""Shows what becomes of windows that were asked for, while it happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from ocr_otel.profiling.control.client import Call
    from ocr_otel.profiling.requests import Progress


def show(calls: Mapping[int, Call], patience: float, at_step: int | None, console: Console) -> dict[int, Progress]:
    """Show the progress of each rank's window until all are over, and return how they ended.

    In a terminal it is a line a rank that changes; elsewhere a line for each new state.

    Args:
        calls: What was asked, by rank.
        patience: Seconds without news after which it is given up.
        at_step: Step at which the windows open; None for at once.
        console: Where to.

    Raises:
        Silence: Nothing new came.
    """
    from rich.progress import Progress as Bars
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    from ocr_otel.profiling.control.client import follow

    last: dict[int, Progress] = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        tasks = {rank: bars.add_task(f"rank {rank}: asked", total=1) for rank in calls}
        for rank, progress in follow(calls, patience):
            said = f"rank {rank}: {_words(progress, at_step)}"
            bars.update(tasks[rank], description=said, completed=int(progress.over))
            before = last.get(rank)
            new = before is None or (before.state, before.message) != (progress.state, progress.message)
            if new and not console.is_terminal and not progress.over:
                console.print(said, markup=False, highlight=False, soft_wrap=True)
            last[rank] = progress
    return last


def _words(progress: Progress, at_step: int | None) -> str:
    from ocr_otel.profiling.requests import State

    match progress.state:
        case State.WAITING:
            said = "waiting for " + ("the batch that runs" if at_step is None else f"step {at_step}")
        case State.OPEN:
            recording = min(progress.batches + 1, progress.of)
            said = f"the window is open, batch {recording} of {progress.of}"
        case State.ANALYSING:
            said = f"analysing {progress.batches} batches"
        case _:
            said = str(progress.state)
    return f"{said} ({progress.message})" if progress.message else said
