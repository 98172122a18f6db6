"""What the recorder asks of whoever reads devices, processes and I/O beside the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


class Around:
    """Asks surroundings, where there are any; what fails is reported, and has no attributes.

    Args:
        surroundings: Who is asked; None where nothing is read.
        failed: Takes a failure with its cause.

    Attributes:
        settle_ns: See `Surroundings`; 0 where nothing is read.
    """

    def __init__(self, surroundings: Surroundings | None, failed: Callable[[str, Exception], None]) -> None:
        self.settle_ns: int = surroundings.settle_ns if surroundings is not None else 0
        self._surroundings = surroundings
        self._failed = failed

    def of_loop(self, start: int, end: int, samples: int) -> Mapping[str, Any]:
        """See `Surroundings`."""
        return self._ask(lambda surroundings: surroundings.of_loop(start, end, samples))

    def of_slow_batch(self, start: int, end: int, since: int) -> Mapping[str, Any]:
        """See `Surroundings`."""
        return self._ask(lambda surroundings: surroundings.of_slow_batch(start, end, since))

    def epoch_ended(self, epoch: int, memory: int) -> None:
        """See `Surroundings`."""
        self._ask(lambda surroundings: surroundings.epoch_ended(epoch, memory))

    def of_entry(self) -> Mapping[str, Any]:
        """See `Surroundings`."""
        return self._ask(lambda surroundings: surroundings.of_entry())

    def cpu_ns(self) -> int:
        """See `Surroundings`."""
        return self._surroundings.cpu_ns() if self._surroundings is not None else 0

    def _ask(self, question: Callable[[Surroundings], Mapping[str, Any] | None]) -> Mapping[str, Any]:
        if self._surroundings is None:
            return {}
        try:
            return question(self._surroundings) or {}
        except Exception as error:
            self._failed("surroundings", error)
            return {}
