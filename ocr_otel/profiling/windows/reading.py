"""Reads a trace in a process of its own, so that the training keeps its interpreter meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

READ_SECONDS: Final = 120.0
"""A trace that takes longer to read is left for `ocr-otel analyze`."""
_MODULE: Final = "ocr_otel.profiling.kineto"


class UnreadableTrace(RuntimeError):
    """A trace could not be read; the message says why."""


def read(trace: Path) -> str:
    """Return what a trace shows, as the JSON of a `WindowProfile`.

    Args:
        trace: A Chrome trace, plain or gzipped.

    Raises:
        UnreadableTrace: It cannot be read, or not in time.
    """
    # -P: what lies in the training's working directory must not stand in for a module of ours.
    command = [sys.executable, "-P", "-m", _MODULE, str(trace)]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=READ_SECONDS,
            check=False,
            env=_environment(),
            process_group=0,
        )
    except subprocess.TimeoutExpired:
        raise UnreadableTrace(f"reading the trace took longer than {READ_SECONDS:.0f} s") from None
    except OSError as error:
        raise UnreadableTrace(f"no process could be started to read the trace: {error}") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise UnreadableTrace(lines[-1] if lines else f"reading the trace ended with status {done.returncode}")
    return done.stdout


def _environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCR_OTEL_")}
    # One thread, niced by the module itself: the training needs the cores more.
    return environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
