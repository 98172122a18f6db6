"""Who is told of a Trainer's entries and epochs beside the recorder, and is handed in because it is not known here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from opentelemetry.trace import Span

from ocr_otel.recording import EntrySummary, LoopSummary, Recorder
from ocr_otel.settings import Settings
from ocr_otel.training.guard import Parts


@dataclass(frozen=True, slots=True)
class EndedEpoch:
    """A training epoch that is over.

    Attributes:
        epoch: Its number.
        step: Its last step, as Lightning counts them for loggers.
        summary: What it adds up to.
        attributes: Those of its span.
    """

    epoch: int
    step: int
    summary: LoopSummary
    attributes: Mapping[str, Any]


class Listener(Protocol):
    """Is told of one entry. The training waits for it, a few times an epoch at most."""

    def known(self) -> Mapping[str, Any]:
        """Return what is known of the entry when it begins, as attributes."""

    def entry_begins(self, root: Span) -> None:
        """The entry has a span."""

    def epoch_ended(self, epoch: EndedEpoch) -> None:
        """A training epoch is over."""

    def entry_ended(self, summary: EntrySummary) -> None:
        """The entry is over, and what it recorded handed on."""


Listen = Callable[[Any, Recorder, str, Settings, Parts], Listener | None]
"""Makes the listener of a Trainer's entry, whose name it is given; None where nobody listens."""


def listens_not(*_: object) -> None:
    """Nobody listens."""


def logged_step(trainer: Any) -> int:
    """Return the step under which Lightning gives the loggers what a module has logged for an epoch that is over."""
    loop = getattr(getattr(trainer, "fit_loop", None), "epoch_loop", None)
    return max(0, int(getattr(loop, "_batches_that_stepped", trainer.global_step)) - 1)
