"""A process that has a watchdog, as a training has, and ends in the way that its arguments say.

Run as a file, with arguments of `Arguments`. It prints its pid and its watchdog's directory when all is set up, and
waits for the watchdog to be there before it ends by itself.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from ocr_otel import semconv
from ocr_otel.semconv import Section, Stage
from ocr_otel.watchdog.cells import Cell, Cells
from ocr_otel.watchdog.starting import Watchdog, start
from tests.support.watchdog_watching import wait_for, watched

TRACE = "0af7651916cd43dd8448eb211c80319c"
ROOT, EPOCH, DONE = "00f067aa0ba902b7", "00f067aa0ba902b8", "00f067aa0ba902b9"
RSS = 123_456_789


def span(name: str, span_id: str, parent: str = "", **more: Any) -> dict[str, Any]:
    """An open span as OTLP JSON has it."""
    return {
        "traceId": TRACE,
        "spanId": span_id,
        **({"parentSpanId": parent} if parent else {}),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(time.time_ns()),
        "attributes": [{"key": semconv.STAGE, "value": {"stringValue": "fit"}}],
        **more,
    }


def set_cells(cells: Cells, section: Section = Section.TRAIN, batch_idx: int = 7, batches: int = 100) -> None:
    """Set the numbers of a training in the midst of a batch."""
    values = cells.values
    now = time.perf_counter_ns()
    values[Cell.OFFSET] = time.time_ns() - now
    values[Cell.SEEN] = time.time_ns()
    values[Cell.BATCH_IDX], values[Cell.BATCHES] = batch_idx, batches
    values[Cell.STAGE] = list(Stage).index(Stage.TRAIN)
    values[Cell.EPOCH], values[Cell.LOOP], values[Cell.ENTRY] = 2, 3, 0
    values[Cell.GLOBAL_STEP], values[Cell.RSS] = 207, RSS
    values[Cell.SECTION_BEGAN] = now
    values[Cell.SECTION] = list(Section).index(section)
    values[Cell.BATCH_BEGAN] = now


def header(target: str = "files") -> dict[str, Any]:
    """What the training says of itself in its journal."""
    return {
        "run_id": "made-run",
        "rank": 0,
        "target": target,
        "resource": {"attributes": [{"key": semconv.RUN_ID, "value": {"stringValue": "made-run"}}]},
        "scope": {"name": semconv.SCOPE, "version": "0"},
        "hang_after": 0.0,
        "started_unix_nano": time.time_ns(),
    }


def open_spans(watchdog: Watchdog) -> None:
    """Open an entry with an epoch, and end a span that nobody has handed on."""
    watchdog.journal.note(span(semconv.FIT, ROOT))
    watchdog.journal.note(span(semconv.TRAIN_EPOCH, EPOCH, ROOT))
    done = span(semconv.CHECKPOINT_SAVE, DONE, ROOT)
    watchdog.journal.note({**done, "endTimeUnixNano": done["startTimeUnixNano"]})


def _end(how: str, watchdog: Watchdog) -> None:
    match how:
        case "wait":
            signal.pause()
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "exit":
            os._exit(3)
        case "segv":
            ctypes.string_at(0)
        case "clean":
            for each in (DONE, EPOCH, ROOT):
                watchdog.journal.done(each)
            watchdog.finish()
        case "replaced":
            os.execv(sys.executable, [sys.executable, "-c", "import signal; signal.pause()"])
        case "closes":
            os.closerange(3, 1000)
            print("closed", flush=True)
            signal.pause()
        case "eat":
            eaten = []
            while True:
                eaten.append(b"x" * (1 << 22))


def _fork(watchdog: Watchdog) -> None:
    child = os.fork()
    if child == 0:
        # It must not end what is its parent's, and not keep the end of its parent from being seen.
        watchdog.finish()
        signal.pause()
    print(json.dumps({"child": child}), flush=True)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("how")
    parser.add_argument("--target", default="files")
    parser.add_argument("--section", default="train")
    parser.add_argument("--fork", action="store_true")
    parser.add_argument("--no-spans", action="store_true")
    parser.add_argument("--cgroup", type=Path)
    given = parser.parse_args()
    if given.cgroup is not None:
        (given.cgroup / "cgroup.procs").write_text(str(os.getpid()))
    watchdog = start(given.directory, header(given.target), lambda reason: print(reason, file=sys.stderr, flush=True))
    assert watchdog is not None
    if not given.no_spans:
        open_spans(watchdog)
    set_cells(watchdog.cells, Section(given.section))
    wait_for(lambda: watched(watchdog.directory))
    print(json.dumps({"pid": os.getpid(), "place": str(watchdog.directory)}), flush=True)
    if given.fork:
        _fork(watchdog)
    _end(given.how, watchdog)


if __name__ == "__main__":
    main()
