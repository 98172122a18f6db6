"""The spools of a run, held while they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from ocr_otel.replay.lines import Signal, rank_folders
from ocr_otel.replay.sources import SpoolSource
from ocr_otel.spool import SpoolInUse, Store, spools

_NO_LIMIT: Final = 2**63


class Spools:
    """As a context manager it gives the spools back; an empty one is removed then.

    Args:
        run: The run directory.
        signals: Which signals are sent.

    Attributes:
        sources: What waits in them.
        in_use: Names of those that another process sends from.
    """

    def __init__(self, run: Path, signals: Sequence[Signal]) -> None:
        self._run = run
        self.sources: list[SpoolSource] = []
        self.in_use: list[str] = []
        self._held = ExitStack()
        for place in [place for folder in rank_folders(run) for place in spools(folder)]:
            name = place.relative_to(run).as_posix()
            try:
                store = Store(place, _NO_LIMIT)
            except SpoolInUse:
                self.in_use.append(name)
                continue
            self._held.callback(store.close)
            self.sources += [SpoolSource(store, each, f"{name}/{each}") for each in signals if each in store.waiting()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()
        # Of a run with an endpoint of its own nothing stays when all is sent.
        for folder in reversed(rank_folders(self._run)):
            with suppress(OSError):
                folder.rmdir()
