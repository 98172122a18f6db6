"""What runs leave that died together with their watchdogs."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

from ocr_otel import semconv
from ocr_otel.semconv import Section
from ocr_otel.watchdog import life, places
from ocr_otel.watchdog.cells import SIZE, Cells
from ocr_otel.watchdog.journal import CELLS_FILE, JournalWriter
from tests.support.watchdog_training import EPOCH, ROOT, header, set_cells, span


@functools.cache
def dead() -> tuple[int, int]:
    """Pid and start ticks of a process that is gone."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    ticks = life.start_ticks(process.pid)
    process.communicate(b"\n")
    assert ticks is not None
    return process.pid, ticks


def leave(directory: Path, *, spans: bool = True, cells: bool = True, **changed: Any) -> Path:
    """Leave a run in a rank's directory, and return its watchdog's directory.

    Args:
        directory: The rank's directory.
        spans: Whether an entry is open.
        cells: Whether its numbers were saved.
        changed: Fields of the journal's header.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pid, ticks = dead()
    place = places.make(directory, pid, ticks)
    who = {**life.identity(pid), "start_ticks": ticks}
    writer = JournalWriter(place / "journal", {**header(), "run_id": directory.name, **who, **changed})
    if spans:
        writer.note(span(semconv.FIT, ROOT))
        writer.note(span(semconv.TRAIN_EPOCH, EPOCH, ROOT))
    writer.close()
    if cells:
        made = Cells()
        set_cells(made, Section.TRAIN)
        (place / CELLS_FILE).write_bytes(bytes(made.values)[:SIZE])
    return place
