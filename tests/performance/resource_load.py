"""Reads all there is, with sixteen worker processes, and prints the CPU time that a second of it takes."""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from pathlib import Path

from ocr_otel.resources.monitor import Monitor
from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity, Session
from ocr_otel.telemetry.exporting import Destination

WORKERS = 16


def main() -> None:
    """Run as long as the first argument says, in seconds."""
    seconds = float(sys.argv[1])
    workers = [multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)) for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    ids = {worker.pid or 0: number for number, worker in enumerate(workers)}
    settings = Settings()
    failures: list[str] = []
    session = Session(settings, RunIdentity("load"), Destination("files"))
    monitor = Monitor(session, settings, lambda: ids, lambda cause, error: failures.append(f"{cause}: {error!r}"))
    monitor.start([Path.cwd()])
    # Opening sources is no part of a second like the others.
    time.sleep(2)
    before = monitor.cpu_ns()
    begun = time.monotonic()
    time.sleep(seconds)
    took, elapsed = monitor.cpu_ns() - before, time.monotonic() - begun
    monitor.stop()
    session.flush()
    for worker in workers:
        worker.kill()
    print(json.dumps({"share": took / 1e9 / elapsed, "failures": failures, "directory": str(session.directory)}))


if __name__ == "__main__":
    main()
