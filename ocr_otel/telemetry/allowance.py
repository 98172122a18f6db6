"""How much may be told at once, and how much all the time."""

from __future__ import annotations


class Allowance:
    """A token bucket: so many at once, and after that one in a certain time; a quiet time fills it up again.

    Args:
        burst: How many at once.
        every: In which time one more is allowed, in the unit of the times that it is asked with.
    """

    __slots__ = ("_at", "_burst", "_every", "_room")

    def __init__(self, burst: int, every: float) -> None:
        self._burst = burst
        self._every = every
        self._room = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> bool:
        """Take one; return whether there was one.

        Args:
            now: The time, of a clock that does not go back.
        """
        if self._at is not None:
            self._room = min(self._burst, self._room + (now - self._at) / self._every)
        self._at = now
        if self._room < 1:
            return False
        self._room -= 1
        return True
