"""What is written into a run's directory from the start."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Final

from opentelemetry.sdk.resources import Resource

from ocr_otel.private import write_private
from ocr_otel.telemetry.identity import RunIdentity

RUN_FORMAT: Final = 1
"""Version of the layout of a run directory, in `run.json`."""


def describe_run(home: Path, identity: RunIdentity, resource: Resource) -> None:
    """Write `run.json`, by which a run is known before its first span is there.

    Raises:
        OSError: It cannot be written.
    """
    description = {
        "format": RUN_FORMAT,
        "run_id": identity.run_id,
        "started_unix_nano": time.time_ns(),
        "service_name": str(resource.attributes.get("service.name", "")),
        "pid": os.getpid(),
        "rank": identity.rank,
        "world_size": identity.world_size,
    }
    write_private(home / "run.json", json.dumps(description, indent=1) + "\n")
