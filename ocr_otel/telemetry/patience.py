"""How long the end of an entry, and of the process after it, may still wait for telemetry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Patience:
    """Seconds that all who wait at the end of an entry spend together.

    Args:
        seconds: What there is of them in an entry.

    Attributes:
        left: What is left of them.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.left: float = seconds

    def renew(self) -> None:
        """An entry begins."""
        self.left = self._seconds

    @contextmanager
    def spending(self) -> Iterator[float]:
        """Give the seconds that are left, and take off them what is spent inside."""
        began = monotonic()
        try:
            yield self.left
        finally:
            self.left = max(0.0, self.left - (monotonic() - began))
