"""Watches a training for hangs as its watchdog does: `hang_watch.py PLACE CELLS`, on isolated Python without `site`."""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ocr_otel.watchdog import journal, threads
from ocr_otel.watchdog.cells import Cells
from ocr_otel.watchdog.hangs import HangWatch

place, cells = Path(sys.argv[1]), Cells(int(sys.argv[2]))
header = journal.read((place / journal.JOURNAL_FILE).read_bytes()).header
watch = HangWatch(header, cells, place)
while (process := threads.stat(header["pid"])) and process.start_ticks == header["start_ticks"]:
    if process.state == "Z":
        break
    watch.look()
    time.sleep(watch.interval())
