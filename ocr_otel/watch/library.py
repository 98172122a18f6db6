"""Which runs are shown: one, or those of a directory; nothing outside of it can be named."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Final

from ocr_otel.runs import RunError, last_written, rank_directories
from ocr_otel.watch.followed import BRIEF, Followed
from ocr_otel.watch.now import Now, State

MAX_RUNS: Final = 20
"""Runs in the list; of more, those in which something was written last."""
_OPEN: Final = 2
"""Runs whose pages are kept in memory; another one that is looked at is read again."""


class Library:
    """The runs that are shown; its methods may be called by any thread, and block.

    Args:
        runs_dir: Where run directories lie.
        only: The one run that is shown; None for all.
    """

    def __init__(self, runs_dir: Path, only: Path | None = None) -> None:
        self.runs_dir = runs_dir
        self._only = only
        self._lock = threading.Lock()
        self._open: OrderedDict[str, Followed] = OrderedDict()
        self._ended: dict[str, tuple[float, Now]] = {}

    @property
    def only(self) -> str | None:
        """The name of the only run that is shown; None where all are."""
        return self._only.resolve().name if self._only is not None else None

    def runs(self) -> dict[str, Path]:
        """Return the directories that are shown, by their names, the last written first."""
        if self._only is not None:
            return {self._only.resolve().name: self._only}
        try:
            # A link may lead out of the directory.
            inside = [path for path in self.runs_dir.iterdir() if path.is_dir() and not path.is_symlink()]
            found = [(last_written(rank_directories(path)), path) for path in inside]
        except OSError:
            return {}
        found.sort(key=lambda each: (each[0], each[1].name), reverse=True)
        return {path.name: path for written, path in found[:MAX_RUNS] if written}

    def followed(self, name: str) -> Followed:
        """Return a run that is looked at.

        Raises:
            RunError: There is no such run among those that are shown, or it cannot be read.
        """
        with self._lock:
            if name in self._open:
                self._open.move_to_end(name)
                return self._open[name]
            directory = self.runs().get(name)
            if directory is None:
                raise RunError(f"there is no run {name!r} here")
            self._open[name] = Followed(directory)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[name]

    def listed(self) -> list[tuple[str, Now | None, str]]:
        """Return each run's name, where it is, and why it cannot be read where it cannot."""
        return [self._line(name, directory) for name, directory in self.runs().items()]

    def _line(self, name: str, directory: Path) -> tuple[str, Now | None, str]:
        written = last_written(rank_directories(directory))
        known = self._ended.get(name)
        if known is not None and known[0] == written:
            return name, known[1], ""
        try:
            with self._lock:
                open_now = self._open.get(name)
            found = open_now.now() if open_now is not None else Followed(directory, BRIEF).now(judged=False)
        except (RunError, OSError) as error:
            return name, None, str(error)
        if found.state in (State.ENDED, State.DEAD):
            self._ended[name] = (written, found)
        return name, found, ""
