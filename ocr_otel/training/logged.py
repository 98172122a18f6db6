"""What the module logged, as plain numbers."""

from __future__ import annotations

from typing import Any

from ocr_otel.recording.instruments import MAX_LOGGED


def logged_values(trainer: Any) -> dict[str, float]:
    """Return the latest logged values, at most `MAX_LOGGED`; NaN and infinite ones too, for they are news.

    Read where an epoch or validation has ended: Lightning has reduced them by then, so that nothing is computed or
    synchronised because we look.
    """
    values: dict[str, float] = {}
    for name, value in list(trainer.callback_metrics.items())[:MAX_LOGGED]:
        try:
            number = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
        values[str(name)] = number
    return values
