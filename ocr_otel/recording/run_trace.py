"""The trace of a Trainer entry: root, epochs, validations, checkpoints; continued in a linked trace when it is long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, Status, StatusCode, Tracer

from ocr_otel import semconv
from ocr_otel.recording.exceptions import exception_event
from ocr_otel.recording.origin import Origin
from ocr_otel.recording.sampling import MAX_TRACE_SPANS

HEADROOM: Final = 200
"""A new segment begins at an epoch, and the epoch's own validations and checkpoints must still fit."""

Attributes = Mapping[str, Any]


class RunTrace:
    """Makes the spans of one entry. Times are Unix nanoseconds.

    Attributes:
        root: The entry's span.
    """

    def __init__(self, tracer: Tracer, entry: str, start: int, attributes: Attributes, origin: Origin) -> None:
        self._tracer = tracer
        self._entry = entry
        self.root: Span = tracer.start_span(
            entry,
            origin.parent,
            start_time=start,
            attributes={semconv.STAGE: entry, **origin.attributes},
            links=origin.links,
        )
        self._segment = self.root
        self._spans = 2
        tracer.start_span(
            entry + semconv.START_SUFFIX, self._inside(self.root), attributes=attributes, start_time=start
        ).end(start)

    def begin(self, name: str, start: int, attributes: Attributes, parent: Span | None = None) -> Span:
        """Begin a span inside `parent`, by default inside the entry."""
        self._spans += 1
        context = self._inside(parent or self._segment)
        return self._tracer.start_span(name, context, attributes=attributes, start_time=start)

    def begin_epoch(self, start: int, attributes: Attributes) -> Span:
        """Begin an epoch, in a new linked trace where this one is nearly full."""
        if self._spans >= MAX_TRACE_SPANS - HEADROOM:
            previous = self._segment
            links = [Link(self.root.get_span_context())]
            if previous is not self.root:
                links.append(Link(previous.get_span_context()))
                previous.end(start)
            self._segment = self._tracer.start_span(
                self._entry + semconv.SEGMENT_SUFFIX,
                Context(),
                links=links,
                start_time=start,
                attributes={semconv.STAGE: self._entry},
            )
            self._spans = 1
        return self.begin(semconv.TRAIN_EPOCH, start, attributes)

    def add(
        self,
        name: str,
        start: int,
        end: int,
        attributes: Attributes,
        parent: Span | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        """Make a span that is over, unless the trace is full."""
        if self._spans >= MAX_TRACE_SPANS:
            return
        self._spans += 1
        context = self._inside(parent or self._segment)
        self._tracer.start_span(name, context, attributes=attributes, start_time=start, links=links).end(end)

    def end(self, end: int, attributes: Attributes, error: BaseException | None, failed: bool) -> None:
        """End the entry."""
        if self._segment is not self.root:
            self._segment.end(end)
        self.root.set_attributes(attributes)
        if error is not None:
            exception_event(self.root, error, end)
        if failed:
            self.root.set_status(Status(StatusCode.ERROR, type(error).__name__ if error else None))
        self.root.end(end)

    @staticmethod
    def _inside(span: Span) -> Context:
        return trace.set_span_in_context(span)
