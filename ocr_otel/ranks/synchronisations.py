"""When a rank came to the synchronisations of a loop, and when it left them: written for each, read now and then."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """Some synchronisations of a loop, one after the other.

    Attributes:
        first: Number of the first, from 0; the same on every rank.
        waits: Nanoseconds that the rank waited in it, and in other collectives since the one before, shape (n,).
        left: When they were left, monotonic nanoseconds, shape (n,).
    """

    first: int
    waits: Integers
    left: Integers


class Synchronisations:
    """Written by the training's thread, taken by any.

    Attributes:
        arrived: Monotonic nanoseconds, less what this rank waited in other collectives since the one before.
        left: Monotonic nanoseconds; written after `arrived`.
    """

    __slots__ = ("_taken", "arrived", "left")

    def __init__(self) -> None:
        self.arrived: array[int] = array("q")
        self.left: array[int] = array("q")
        self._taken = 0

    def forget(self) -> None:
        """Begin a loop."""
        del self.arrived[:], self.left[:]
        self._taken = 0

    def take(self) -> Part:
        """Remove and return what is over."""
        number = len(self.left)
        arrived = np.array(self.arrived[:number], dtype=np.int64)
        left = np.array(self.left[:number], dtype=np.int64)
        del self.arrived[:number], self.left[:number]
        first, self._taken = self._taken, self._taken + number
        return Part(first, left - arrived, left)
