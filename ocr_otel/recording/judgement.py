"""What is asked for at the end of an epoch and of an entry: a verdict, as attributes and events of its span."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import Span

from ocr_otel import semconv
from ocr_otel.recording.summaries import LoopSummary

Attributes = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict on epochs.

    Attributes:
        attributes: Those of the first cause.
        causes: Those of each cause, by rank; each is an event.
    """

    attributes: Attributes = field(default_factory=dict)
    causes: tuple[Attributes, ...] = ()

    def tell(self, span: Span, now: int) -> None:
        """Put an event for each cause on a span; `now` is Unix nanoseconds."""
        for cause in self.causes:
            span.add_event(semconv.BOTTLENECK_EVENT, cause, now)


Judge = Callable[[tuple[LoopSummary, ...], float, Attributes], Judgement]
"""Judges epochs by their summaries, their wall time in seconds, and what else is known as attributes: configuration
and resources. Handed in, because diagnosis is not known here."""
