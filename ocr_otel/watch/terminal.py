"""The same in a terminal: what a run does now, its phases, slow batches and verdict, until it ends."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ocr_otel.diagnosis.words import duration
from ocr_otel.report.card import printable
from ocr_otel.watch.followed import Followed
from ocr_otel.watch.now import Now, State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from ocr_otel.report.data import ReportData

_SECONDS: Final = 1.0
_BAR: Final = 30
"""Columns of a full bar."""
_SLOW: Final = 5
"""Slow batches that are listed."""


def show(directory: Path, console: Console) -> None:
    """Show a run until it ends, or until it is interrupted.

    A terminal shows it in place; anything else gets a line whenever something has changed.

    Args:
        directory: The run directory.
        console: Where to.

    Raises:
        RunError: It cannot be read.
    """
    followed = Followed(directory)
    if console.is_terminal:
        from rich.live import Live

        with Live(console=console, auto_refresh=False) as live:
            while True:
                now = followed.now()
                live.update(panel(followed.directory.resolve().name, now, followed.report()), refresh=True)
                if now.state in (State.ENDED, State.DEAD):
                    return
                time.sleep(_SECONDS)
    last = ""
    while True:
        now = followed.now()
        if (said := line(now)) != last:
            console.print(said, markup=False, highlight=False, soft_wrap=True)
            last = said
        if now.state in (State.ENDED, State.DEAD):
            return
        time.sleep(_SECONDS)


def line(now: Now) -> str:
    """Return where a run is in one line, such as `fit running, 423 of 655 batches, 12.3 samples/s, 2 % waiting`."""
    counted = f"{now.batches:,} of {now.total:,} batches" if now.total else f"{now.batches:,} batches"
    parts = [f"{now.entry} {now.said}".strip(), counted]
    if now.epoch is not None:
        parts.append(f"epoch {now.epoch + 1}" + (f" of {now.epochs}" if now.epochs else ""))
    if now.samples_per_second is not None:
        parts.append(f"{now.samples_per_second:,.1f} samples/s")
    if now.data_wait is not None:
        parts.append(f"{now.data_wait:.0%} waiting for data")
    if now.remaining is not None:
        parts.append(f"about {duration(now.remaining)} left")
    if now.verdict_kind:
        parts.append(f"verdict {now.verdict_kind.replace('_', ' ')} {now.verdict_share:.0%}")
    return printable(", ".join(parts))


def panel(name: str, now: Now, data: ReportData) -> RenderableType:
    """Return what a terminal shows of a run.

    Args:
        name: Its name.
        now: Where it is.
        data: Its report.
    """
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    share = now.batches / now.total if now.total else None
    done = "" if share is None else f"{'█' * round(_BAR * share)}{'░' * (_BAR - round(_BAR * share))} {share:.0%}\n"
    parts: list[RenderableType] = [Text(done + line(now))]
    if now.logged:
        parts.append(Text(printable(", ".join(f"{key} {value:.4g}" for key, value in now.logged)), style="dim"))
    if now.phases:
        phases = Table("phase, between the last exports", "", box=None, pad_edge=False, header_style="dim")
        for phase, part in sorted(now.phases, key=lambda each: -each[1]):
            phases.add_row(Text(phase), Text(f"{'█' * round(_BAR * part)} {part:.0%}"))
        parts.append(phases)
    slow = sorted((row for row in data.kept if row.kept == "slow"), key=lambda row: row.start)[-_SLOW:]
    if slow:
        listed = Table("last slow batches", "took", "most of it", box=None, pad_edge=False, header_style="dim")
        for row in slow:
            longest = max(row.phases.items(), key=lambda each: each[1], default=("", 0.0))
            listed.add_row(
                Text(printable(f"{row.stage}, epoch {row.epoch}, batch {row.batch_idx}")),
                Text(f"{duration(row.seconds)}, {row.ratio:.1f}×"),
                Text(printable(f"{longest[0]} {duration(longest[1])}")),
            )
        parts.append(listed)
    if now.verdict:
        parts.append(Text(printable(now.verdict), style="bold yellow"))
    return Panel(Group(*parts), title=Text(printable(name)), title_align="left")
