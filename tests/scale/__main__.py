"""Measures a fleet and makes docs/capacity.md of it: `python -m tests.scale flood`, `rank` and `document`."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from tests.scale.document import PAGE, page
from tests.scale.flood import check, flood
from tests.scale.measured import note, read
from tests.scale.rank_cost import measure
from tests.scale.stream import Training
from tests.support.fleet import running_fleet


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True)
    big = actions.add_parser("flood", help="send simulated ranks through real servers, and note what it took")
    big.add_argument("--ranks", type=int, default=1024)
    big.add_argument("--seconds", type=float, default=300.0, help="of training, one epoch")
    big.add_argument("--step-seconds", type=float, default=0.25)
    big.add_argument("--keep", default="50", help="STACK_KEEP_REGULAR_PERCENT")
    actions.add_parser("rank", help="measure what a rank of a real training sends, in a minute and a half")
    actions.add_parser("document", help="make docs/capacity.md of what was noted")
    options = parser.parse_args()
    if options.action == "flood":
        _flood(
            Training(f"flood-{options.ranks}", options.ranks, 1, options.seconds, options.step_seconds), options.keep
        )
    elif options.action == "rank":
        note("rank", measure() | {"machine": machine()})
    else:
        PAGE.write_text(page(read()), encoding="utf-8")


def _flood(training: Training, keep: str) -> None:
    with tempfile.TemporaryDirectory() as folder, running_fleet(Path(folder), STACK_KEEP_REGULAR_PERCENT=keep) as fleet:
        done = flood(fleet, training)
        found = done.as_json()
        print(found, flush=True)
        check(fleet, done)
        for server in ("jaeger", "prometheus"):
            # What is still in memory is written at the end.
            fleet.stop(server)
        found["disk_bytes"] = {
            server: _allocated(fleet.stack.layout.data(server)) for server in ("jaeger", "prometheus")
        }
    note(training.run_id, found | {"keep": float(keep), "machine": machine()})
    print(
        f"checked: {done.sent.spans} spans of {training.ranks} ranks, {done.arrived.stored} stored, none lost or split"
    )


def machine() -> str:
    """Say on what it was measured."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"


def _allocated(folder: Path) -> int:
    """Return the bytes that files take on disk: Badger makes them larger than what is in them."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


if __name__ == "__main__":
    main()
