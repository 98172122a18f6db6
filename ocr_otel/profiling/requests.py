"""What may be asked of a running training, and what it answers: plain data between a command and the training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class State(StrEnum):
    """Where a request for a window is."""

    WAITING = "waiting"
    """Taken; the window opens at the end of the batch that runs, or at the step asked for."""
    OPEN = "open"
    """The profiler warms up or records."""
    ANALYSING = "analysing"
    """The window is over; its trace is read."""
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Request:
    """A window is asked for.

    Attributes:
        batches: Batches to record; None for the setting's number.
        at_step: Training batches done since the entry began, at which the window shall open, the same on all ranks;
            None for as soon as possible.
    """

    batches: int | None = None
    at_step: int | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of a request so far.

    Attributes:
        state: Where it is.
        batches: Batches recorded so far.
        of: Batches to record.
        message: What a person should know: why it was refused or failed, or that it joined a window that was open.
        trace: Path of the trace file, when it is done.
        verdict: Attributes of the window's verdict, when it is done.
    """

    state: State
    batches: int = 0
    of: int = 0
    message: str = ""
    trace: str = ""
    verdict: dict[str, Any] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in (State.DONE, State.FAILED, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a training is.

    Attributes:
        run_id: The run.
        rank: Its global rank.
        world_size: Number of ranks.
        entry: `fit`, `validate`, `test` or `predict`; empty between two entries.
        steps: Training batches done since the entry began.
        batch_seconds: Median batch time; 0 where there is none yet.
    """

    run_id: str
    rank: int
    world_size: int
    entry: str
    steps: int
    batch_seconds: float


class Windows(Protocol):
    """Opens windows on request; both methods are called from another thread than the training's."""

    def standing(self) -> Standing:
        """Return where the training is."""

    def ask(self, request: Request, tell: Callable[[Progress], None]) -> None:
        """Ask for a window, or join the one that is open or asked for already.

        Args:
            request: What is asked for.
            tell: Called with each change, from other threads, until `Progress.over`.
        """
