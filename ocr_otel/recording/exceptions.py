"""An exception as a span event, without secrets, contents of data and the paths of the machine that raised it."""

from __future__ import annotations

from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import Span

from ocr_otel.redaction import safe_exception
from ocr_otel.semconv import EXCEPTION_EVENT


def exception_event(span: Span, error: BaseException, time_unix_nano: int) -> None:
    """Add the event `exception` of the semantic conventions, as it may leave: see `safe_exception`."""
    name, message, stack = safe_exception(error)
    span.add_event(
        EXCEPTION_EVENT,
        {EXCEPTION_TYPE: name, EXCEPTION_MESSAGE: message, EXCEPTION_STACKTRACE: stack},
        timestamp=time_unix_nano,
    )
