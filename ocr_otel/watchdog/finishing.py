"""Says the rest of a training that is gone, once, and sees that it is delivered."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ocr_otel.watchdog.closing import close
from ocr_otel.watchdog.ending import End
from ocr_otel.watchdog.handed_on import handed_on
from ocr_otel.watchdog.journal import Journal
from ocr_otel.watchdog.lines import hand_on

DELIVERY: Final = "ocr_otel.telemetry.delivery"
_PATIENCE: Final = 620.0
"""Seconds: the delivery gives up by itself after 600."""


def finish(directory: Path, journal: Journal, cells: Sequence[int], end: End, now: int) -> int:
    """Write what is left to say of a training.

    Args:
        directory: The rank's directory.
        journal: What was open.
        cells: The shared numbers.
        end: How it ended.
        now: When, Unix nanoseconds.

    Returns:
        How many spans were written.

    Raises:
        OSError: They cannot be written.
    """
    closing = close(journal, cells, end, now)
    known = handed_on(directory, str(journal.header.get("target")), [span["spanId"] for span in closing.spans])
    spans = [span for span in closing.spans if span["spanId"] not in known]
    if spans:
        hand_on(directory, journal.header, "traces", spans)
    if closing.metrics:
        hand_on(directory, journal.header, "metrics", closing.metrics)
    return len(spans)


def deliver(directory: Path, header: Mapping[str, Any]) -> bool:
    """Deliver what waits for an OTLP endpoint, by the environment of this process; ten minutes at most.

    Returns:
        Whether nothing waits any more.
    """
    if header.get("target") != "otlp":
        return True
    from ocr_otel import spool

    if not spool.tidy(directory):
        return True
    # This interpreter and not the one that the header names: the header is a file that others may have written.
    command = [sys.executable, "-m", DELIVERY, str(directory)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
