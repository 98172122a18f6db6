"""What the recorder asks of whoever reads devices, processes and I/O beside the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Surroundings(Protocol):
    """Says what it was like around an epoch or a batch. Times are monotonic nanoseconds.

    Attributes:
        settle_ns: How long after a moment it is known what it was like then.
    """

    settle_ns: int

    def of_loop(self, start: int, end: int, samples: int) -> Mapping[str, Any]:
        """Return attributes of an epoch or a validation."""

    def of_slow_batch(self, start: int, end: int, since: int) -> Mapping[str, Any]:
        """Return attributes that say what was different in a slow batch's time from its epoch's since `since`."""

    def epoch_ended(self, epoch: int, memory: int) -> None:
        """Take the resident memory of the training process at an epoch's end, in bytes."""

    def of_entry(self) -> Mapping[str, Any]:
        """Return attributes of the entry that ends."""

    def cpu_ns(self) -> int:
        """Return the CPU time that reading took so far, nanoseconds."""


class Unknown:
    """Where nothing is read."""

    settle_ns = 0

    def of_loop(self, start: int, end: int, samples: int) -> Mapping[str, Any]:
        """See `Surroundings`."""
        return {}

    def of_slow_batch(self, start: int, end: int, since: int) -> Mapping[str, Any]:
        """See `Surroundings`."""
        return {}

    def epoch_ended(self, epoch: int, memory: int) -> None:
        """See `Surroundings`."""

    def of_entry(self) -> Mapping[str, Any]:
        """See `Surroundings`."""
        return {}

    def cpu_ns(self) -> int:
        """See `Surroundings`."""
        return 0
