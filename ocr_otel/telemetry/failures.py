"""Says once what failed on our side."""

from __future__ import annotations

import logging

logger = logging.getLogger("ocr_otel")


def report(said: set[str], cause: str, error: Exception) -> None:
    """Log a failure with its cause, once for each cause."""
    if cause in said:
        return
    said.add(cause)
    logger.warning(
        "ocr_otel failed in %s and goes on without what it was doing there; the training is not touched: %s: %s",
        cause,
        type(error).__name__,
        error,
        exc_info=logger.isEnabledFor(logging.DEBUG),
    )
