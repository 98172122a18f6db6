"""An exception as it may leave: its type, its message, and where it was raised, without source lines and paths."""

from __future__ import annotations

import os
import traceback
from typing import Final, NamedTuple

from ocr_otel.redaction.texts import safe_message

MAX_FRAMES: Final = 40


class SafeException(NamedTuple):
    """What may be told of an exception: the name of its type, its message, and its stack."""

    name: str
    message: str
    stack: str


def safe_exception(error: BaseException) -> SafeException:
    """Return an exception without secrets, contents of data and the paths of the machine that raised it."""
    frames = traceback.extract_tb(error.__traceback__)[-MAX_FRAMES:]
    lines = [f'  File "{os.path.basename(frame.filename)}", line {frame.lineno}, in {frame.name}' for frame in frames]
    module = type(error).__module__
    name = type(error).__qualname__ if module == "builtins" else f"{module}.{type(error).__qualname__}"
    message = _message(error)
    return SafeException(name, message, "\n".join(["Traceback (most recent call last):", *lines, f"{name}: {message}"]))


def _message(error: BaseException) -> str:
    try:
        return safe_message(str(error))
    except Exception as broken:
        # A `__str__` of the application's own may fail, and it is to be told all the same.
        return f"(its message cannot be told: {type(broken).__name__})"
