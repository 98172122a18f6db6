"""What fails on our side: it is said once with its cause, passes nowhere, and is off when it fails again and again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from ocr_otel.redaction import redact

logger: Final = logging.getLogger("ocr_otel")

MAX_FAILURES: Final = 3
"""After this many failures a part of the recording switches itself off, or the whole where its core failed."""

Result = TypeVar("Result")
Failed = Callable[[str, Exception], None]
"""Takes a failure with its cause."""


def report(said: set[str], cause: str, error: Exception) -> None:
    """Log a failure with its cause, once for each cause."""
    if cause in said:
        return
    said.add(cause)
    logger.warning(
        "ocr_otel failed in %s and goes on without what it was doing there; the training is not touched: %s: %s",
        cause,
        type(error).__name__,
        redact(str(error)),
        exc_info=logger.isEnabledFor(logging.DEBUG),
    )


def attempt(function: Callable[[], Result], failed: Failed, cause: str) -> Result | None:
    """Call a function of ours; return None where it fails."""
    try:
        return function()
    except Exception as error:
        try:  # noqa: SIM105
            failed(cause, error)
        except Exception:
            pass
        return None


def say_part_off(part: str, error: Exception) -> None:
    """Say that a part of the recording failed too often, the last time with this."""
    logger.warning(
        "ocr_otel: %s failed %d times and is off for the rest of this run, which is recorded without it: %s: %s",
        part,
        MAX_FAILURES,
        type(error).__name__,
        redact(str(error)),
    )
