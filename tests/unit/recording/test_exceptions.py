"""An exception on a span: type, message and stack, without what its message must not tell."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from ocr_otel.recording.exceptions import exception_event


def told(error: Exception) -> dict[str, str]:
    span = TracerProvider().get_tracer("test").start_span("fit")
    try:
        raise error
    except Exception as raised:
        exception_event(span, raised, 1)
    span.end()
    assert isinstance(span, ReadableSpan)
    return {name: str(value) for name, value in (span.events[0].attributes or {}).items()}


def test_message_and_stack_have_no_secret_no_data_and_no_path() -> None:
    found = told(RuntimeError("password=hunter2 for /data/jane/img.png of ['Jane Roe', 'John']"))
    assert found["exception.type"] == "RuntimeError"
    assert found["exception.message"] == "password=[redacted] for img.png of […]"
    assert found["exception.stacktrace"].endswith("RuntimeError: password=[redacted] for img.png of […]")
    assert 'File "test_exceptions.py", line ' in found["exception.stacktrace"]
    assert "/" not in found["exception.stacktrace"]


def test_a_message_that_cannot_be_told_is_said_to_be_so() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError("no")

    assert told(Broken())["exception.message"] == "(its message cannot be told: ValueError)"
