"""Delivers what waits in the spool of a process that is gone: `python -m ocr_otel.telemetry.delivery DIRECTORY`.

It sends as the process would have, with the exporters that the standard variables name. Status: 0 when nothing waits,
1 when something is left, 2 when the environment names nowhere to send it, 3 when a process writes there or sends from
there.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from time import monotonic
from typing import Any, Final

from ocr_otel.errors import SettingsError
from ocr_otel.spool import Signal, SpoolInUse, Store, spools
from ocr_otel.telemetry.exporting import Destination, destination, load_exporter, log_exporters
from ocr_otel.telemetry.losses import Losses
from ocr_otel.telemetry.spooling import Spool
from ocr_otel.watchdog.places import leave_nothing

logger: Final = logging.getLogger("ocr_otel")

_SECONDS: Final = 600.0
_LOCK_SECONDS: Final = 10.0
"""A forked worker, or a look at the spool, may keep it a moment longer than the process lived."""
_NO_LIMIT: Final = 2**63


class Status(IntEnum):
    """How a delivery ended."""

    EMPTY = 0
    LEFT = 1
    NOWHERE = 2
    IN_USE = 3


def deliver(directory: Path, seconds: float = _SECONDS) -> Status:
    """Deliver what waits in a rank's directory.

    Args:
        directory: The rank's directory, in which the spools lie.
        seconds: How long to try.
    """
    ends = monotonic() + seconds
    try:
        target = destination()
        logs = log_exporters() if target.kind == "exporters" else ()
    except SettingsError as error:
        logger.warning("%s", error)
        return Status.NOWHERE
    status = Status.EMPTY
    for place in spools(directory):
        if target.kind != "exporters":
            logger.warning("%s waits, and no endpoint is named: set OTEL_EXPORTER_OTLP_ENDPOINT.", place)
            return Status.NOWHERE
        try:
            status = max(status, _deliver(place, target, logs, ends))
        except SpoolInUse as error:
            logger.warning("%s", error)
            status = Status.IN_USE
        except OSError as error:
            logger.warning("%s cannot be sent: %s", place, error)
            status = max(status, Status.LEFT)
    leave_nothing(directory, directory.parent if directory.name.startswith("rank-") else directory)
    return status


def _deliver(place: Path, target: Destination, logs: Sequence[str], ends: float) -> Status:
    losses = Losses()
    wait = min(_LOCK_SECONDS, max(0.0, ends - monotonic()))
    spool = Spool(place, _NO_LIMIT, losses, lambda directory, limit: Store(directory, limit, wait))
    try:
        named: dict[Signal, Sequence[str]] = {"traces": target.traces, "metrics": target.metrics, "logs": logs}
        sent = {
            signal for signal, names in named.items() if signal in spool.waiting() and _attach(spool, signal, names)
        }
        # Others may append meanwhile, such as who ends the spans that were open.
        while sent & set(spool.waiting()) and (left := ends - monotonic()) > 0:
            spool.drain(left)
    finally:
        waiting = dict(spool.waiting())
        left_over = spool.close()
    for (signal, cause), items in spool.dropped.items():
        logger.warning("%s: %d %s are lost (%s)", place, items, signal, cause)
    if left_over:
        logger.warning("%s: %d bytes of %s wait", place, left_over, ", ".join(waiting))
    return Status.LEFT if left_over else Status.EMPTY


def _attach(spool: Spool, signal: Signal, names: Sequence[str]) -> bool:
    for name in names:
        try:
            exporter: Any = load_exporter(signal, name)
        except Exception as error:
            logger.warning("the exporter %s cannot be made: %s: %s", name, type(error).__name__, error)
            continue
        if spool.deliver(signal, exporter):
            return True
    return False


def main() -> None:
    """Deliver what the command line names."""
    parser = argparse.ArgumentParser(
        prog="python -m ocr_otel.telemetry.delivery", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("directory", type=Path, help="Directory of the run, or of its rank.")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="How long to try (%(default).0f).")
    given = parser.parse_args()
    logging.basicConfig(format="ocr_otel: %(message)s", level=logging.WARNING, stream=sys.stderr)
    sys.exit(deliver(given.directory, given.seconds))


if __name__ == "__main__":
    main()
