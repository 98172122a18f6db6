"""How long each callback and module hook took in an epoch, to name the slowest."""

from __future__ import annotations

import numpy as np

from ocr_otel.recording.journal import CALLBACKS, Journal
from ocr_otel.recording.rows import Integers


class CallbackTimes:
    """Adds up what `rows.take` found.

    Args:
        source: The journal, which knows the names.
    """

    def __init__(self, source: Journal) -> None:
        self._journal = source
        self._own = np.zeros(0, dtype=np.int64)

    def add(self, own: Integers) -> None:
        """Add nanoseconds by context code."""
        if len(own) > len(self._own):
            self._own = np.pad(self._own, (0, len(own) - len(self._own)))
        self._own[: len(own)] += own

    def slowest(self) -> tuple[str, int]:
        """Return name and nanoseconds of what took most time; an empty name where nothing took any."""
        by_name: dict[str, int] = {}
        for code, spent in enumerate(self._own):
            if spent and self._journal.parts[code] == CALLBACKS:
                name = self._journal.names[code]
                by_name[name] = by_name.get(name, 0) + int(spent)
        return max(by_name.items(), key=lambda item: item[1], default=("", 0))

    def forget(self) -> None:
        """Begin an epoch."""
        self._own[:] = 0
