"""Counts what was taken over and could not be delivered after all."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Final

from ocr_otel.otlp import ITEMS, Signal
from ocr_otel.redaction import redact
from ocr_otel.telemetry.losses import Losses

logger: Final = logging.getLogger("ocr_otel")

_PREFIX: Final[dict[Signal, str]] = {"traces": "", "metrics": "metric_", "logs": "log_"}


class Accounts:
    """Counts losses by signal and cause.

    Args:
        losses: Those of the process, which count spans alone and say each cause once.

    Attributes:
        dropped: Items that are lost, by signal and cause.
    """

    def __init__(self, losses: Losses) -> None:
        self.dropped: Counter[tuple[Signal, str]] = Counter()
        self._losses = losses
        self._said_away = False
        self._lock = threading.RLock()

    def lose(self, signal: Signal, items: int, cause: str, detail: str) -> None:
        """Count items as lost that an exporter has taken over, and so has counted as delivered."""
        with self._lock:
            self.dropped[signal, cause] += items
            if signal == "traces":
                self._losses.withdraw(items, cause, detail)
            else:
                self._losses.lose(0, _PREFIX[signal] + cause, f"{items} {ITEMS[signal]}: {detail}")

    def say_away(self, reason: str, where: object) -> None:
        """Say, once, that the endpoint does not take what is sent."""
        with self._lock:
            said, self._said_away = self._said_away, True
        if not said:
            logger.warning(
                "ocr_otel: the endpoint takes no telemetry (%s): it is kept in %s and sent later. Training goes on.",
                redact(reason),
                where,
            )
