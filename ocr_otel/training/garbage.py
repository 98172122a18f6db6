"""How long full runs of Python's garbage collector held the interpreter.

The others are many, and short: the clock alone would cost a small batch a microsecond or two.
"""

from __future__ import annotations

import gc
from time import perf_counter_ns
from typing import Any, Final

_OLDEST: Final = 2


class GarbageCollections:
    """Counts from now on; collections run in whatever thread, and never two at a time."""

    def __init__(self) -> None:
        self._began = 0
        self._nanoseconds = 0
        self._full = 0
        gc.callbacks.append(self._called)

    def _called(self, phase: str, info: dict[str, Any]) -> None:
        if info["generation"] != _OLDEST:
            return
        if phase == "start":
            self._began = perf_counter_ns()
        elif self._began:
            self._nanoseconds += perf_counter_ns() - self._began
            self._full += 1
            self._began = 0

    def take(self) -> tuple[float, int]:
        """Return the seconds in full collections, and their number, since the last call."""
        taken = self._nanoseconds / 1e9, self._full
        self._nanoseconds = self._full = 0
        return taken

    def remove(self) -> None:
        """Count no longer."""
        if self._called in gc.callbacks:
            gc.callbacks.remove(self._called)
