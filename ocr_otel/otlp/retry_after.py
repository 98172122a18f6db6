"""How long a receiver of OTLP/HTTP asks to wait."""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime


def seconds_to_wait(retry_after: str) -> float | None:
    """Return the seconds of a header `Retry-After`, which has them or a date; None where it says nothing of use."""
    value = retry_after.strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
