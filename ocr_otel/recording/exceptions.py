"""An exception as a span event, without the paths of the machine that raised it."""

from __future__ import annotations

import os
import traceback
from typing import Final

from opentelemetry.semconv.attributes.exception_attributes import (
    EXCEPTION_MESSAGE,
    EXCEPTION_STACKTRACE,
    EXCEPTION_TYPE,
)
from opentelemetry.trace import Span

from ocr_otel.semconv import EXCEPTION_EVENT

MAX_MESSAGE: Final = 1_000
"""Characters of an exception's message: enough for any sentence, too few for a dumped batch."""
MAX_FRAMES: Final = 40


def exception_event(span: Span, error: BaseException, time_unix_nano: int) -> None:
    """Add the event `exception` of the semantic conventions, with file names in place of paths."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    lines = [f'  File "{os.path.basename(frame.filename)}", line {frame.lineno}, in {frame.name}' for frame in frames]
    module = type(error).__module__
    name = type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"
    message = str(error)[:MAX_MESSAGE]
    span.add_event(
        EXCEPTION_EVENT,
        {
            EXCEPTION_TYPE: name,
            EXCEPTION_MESSAGE: message,
            EXCEPTION_STACKTRACE: "\n".join(["Traceback (most recent call last):", *lines, f"{name}: {message}"]),
        },
        timestamp=time_unix_nano,
    )
