"""What an OTLP endpoint has not acknowledged, on disk: lines of OTLP JSON in numbered files, sent in their order.

The lines survive the death of the process, also by SIGKILL, because the kernel has them then. They are not flushed to
the disk itself: a loss of power, or a crash of the kernel, may take those of the last seconds.
"""

from ocr_otel.spool.appending import append
from ocr_otel.spool.files import SIGNALS, SPOOL_DIRECTORY, Position, Signal, spools
from ocr_otel.spool.lock import SpoolInUse
from ocr_otel.spool.store import Line, SpoolFull, Store, claim
from ocr_otel.spool.waiting import Waiting, tidy, waiting_in

__all__ = [
    "SIGNALS",
    "SPOOL_DIRECTORY",
    "Line",
    "Position",
    "Signal",
    "SpoolFull",
    "SpoolInUse",
    "Store",
    "Waiting",
    "append",
    "claim",
    "spools",
    "tidy",
    "waiting_in",
]
