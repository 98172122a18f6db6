"""Children of a span that is recorded, made when they are over already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext


class ChildSpan(Protocol):
    """Makes a finished span."""

    def __call__(
        self, name: str, parent: SpanContext, start: int, end: int, attributes: Mapping[str, Any] | None = None
    ) -> SpanContext:
        """Make it.

        Args:
            name: Its name.
            parent: The span that it is a child of, which is sampled.
            start: Its beginning, Unix nanoseconds.
            end: Its end.
            attributes: Its attributes.

        Returns:
            Its context.
        """


def child_spans(tracer: trace.Tracer, own: TracerProvider | None) -> ChildSpan:
    """Return what makes finished children.

    A span that is started and ended through the API asks the sampler, takes locks and copies its attributes: 17 µs,
    and a kept batch has eight children. In a provider of our own whose sampler follows the parent, none of that
    changes what comes out, and the SDK's data type is filled in directly.

    Args:
        tracer: Makes spans elsewhere.
        own: The provider, where it is our own.
    """
    if own is not None and isinstance(tracer, Tracer) and _follows_parent(own):
        return _Direct(tracer, own)

    def through_the_api(
        name: str, parent: SpanContext, start: int, end: int, attributes: Mapping[str, Any] | None = None
    ) -> SpanContext:
        context = trace.set_span_in_context(NonRecordingSpan(parent))
        span = tracer.start_span(name, context=context, start_time=start, attributes=attributes)
        span.end(end)
        return span.get_span_context()

    return through_the_api


def _follows_parent(provider: TracerProvider) -> bool:
    return provider.sampler is ALWAYS_ON or isinstance(provider.sampler, ParentBased)


class _Direct:
    def __init__(self, tracer: Tracer, provider: TracerProvider) -> None:
        self._tracer = tracer
        self._resource = provider.resource
        self._processor = provider._active_span_processor

    def __call__(
        self, name: str, parent: SpanContext, start: int, end: int, attributes: Mapping[str, Any] | None = None
    ) -> SpanContext:
        context = SpanContext(
            parent.trace_id,
            self._tracer.id_generator.generate_span_id(),
            is_remote=False,
            trace_flags=parent.trace_flags,
            trace_state=parent.trace_state,
        )
        self._processor.on_end(
            ReadableSpan(
                name,
                context,
                parent,
                self._resource,
                attributes or {},
                start_time=start,
                end_time=end,
                instrumentation_scope=self._tracer._instrumentation_scope,
            )
        )
        return context
