"""The row of a journal that runs."""

from __future__ import annotations

from ocr_otel.recording.decoding import DecodedRow, decode
from ocr_otel.recording.journal import ROW, Journal


def current(journal: Journal, now: int) -> DecodedRow:
    """Decode the row that runs, as if it ended now."""
    row = max(at for at, code in enumerate(journal.codes) if code <= ROW)
    return decode(journal, journal.codes[row:], journal.times[row:], now)
