"""Spans that are open, noted where they outlive the process until their exporter has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.json.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from ocr_otel import semconv
from ocr_otel.watchdog.journal import JournalWriter

_BATCHES: Final = frozenset(semconv.BATCH_SPAN_BY_STAGE.values())


class OpenSpans(SpanProcessor):
    """Notes our spans that take longer than a batch: entries, epochs, validations, windows of the profiler.

    A span stays noted when it has ended, until `handed_on` says that its exporter has it.

    Args:
        journal: Where they are noted.
        failed: Takes what fails: once, for nothing is noted any more after it.
    """

    def __init__(self, journal: JournalWriter, failed: Callable[[str, Exception], None]) -> None:
        self._journal: JournalWriter | None = journal
        self._failed = failed
        self._noted: set[int] = set()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note a span of ours that is not a batch's."""
        scope = span.instrumentation_scope
        if scope is None or scope.name != semconv.SCOPE or span.name in _BATCHES:
            return
        self.note(span)

    def on_end(self, span: ReadableSpan) -> None:
        """Note how a span came out."""
        if span.context is not None and span.context.span_id in self._noted:
            self.note(span)

    def note(self, span: ReadableSpan) -> None:
        """Note a span as it is now."""
        if self._journal is None or span.context is None or not span.context.trace_flags.sampled:
            return
        try:
            self._noted.add(span.context.span_id)
            self._journal.note(_as_json(span))
        except Exception as error:
            self._give_up(error)

    def handed_on(self, spans: Iterable[ReadableSpan]) -> None:
        """Forget spans that their exporter has taken."""
        if self._journal is None or not self._noted:
            return
        try:
            for span in spans:
                if span.context is not None and span.context.span_id in self._noted:
                    self._noted.discard(span.context.span_id)
                    self._journal.done(f"{span.context.span_id:016x}")
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._journal = None
        self._failed("journal", error)


def _as_json(span: ReadableSpan) -> dict[str, Any]:
    encoded = encode_spans([span]).to_dict()
    found: dict[str, Any] = encoded["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    return found
