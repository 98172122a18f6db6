"""Counts what was made and not delivered; what delivers for a process that is gone needs it too, and little else."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from typing import Final

from ocr_otel.redaction import redact

logger: Final = logging.getLogger("ocr_otel")


class Losses:
    """Counts what was made and not delivered, by cause, and says each cause once; any thread may.

    Attributes:
        spans: Spans lost, by cause.
        made: Spans made.
        delivered: Spans that exporters took.
    """

    def __init__(self) -> None:
        self.spans: Counter[str] = Counter()
        self.made: int = 0
        self.delivered: int = 0
        self._said: set[str] = set()
        self._lock = threading.RLock()

    def add_made(self) -> None:
        """Count a span that was made."""
        with self._lock:
            self.made += 1

    def deliver(self, number: int) -> None:
        """Count spans that an exporter took."""
        with self._lock:
            self.delivered += number

    def settle(self, made: int, exporters: int) -> None:
        """After everything was flushed: what was made before it and neither delivered nor counted never left a queue.

        Args:
            made: Spans made before the flush.
            exporters: How many exporters each of them should have reached.
        """
        with self._lock:
            missing = made * exporters - self.delivered - sum(self.spans.values())
            if missing > 0:
                self.lose(missing, "queue_full", "more spans came than could be exported; see OTEL_BSP_MAX_QUEUE_SIZE")

    def lose(self, number: int, cause: str, detail: str) -> None:
        """Count `number` spans as lost (0 for metrics) and log the cause, once."""
        with self._lock:
            self.spans[cause] += number
            said = cause in self._said
            self._said.add(cause)
        if not said:
            logger.warning("ocr_otel: telemetry is being lost (%s): %s. Training goes on.", cause, redact(detail))

    def withdraw(self, number: int, cause: str, detail: str) -> None:
        """Count spans as lost that were counted as delivered."""
        with self._lock:
            self.delivered -= number
            self.lose(number, cause, detail)
