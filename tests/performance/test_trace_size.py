"""A long trace is read in bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from ocr_otel.profiling import serial
from tests.support.kineto_traces import launch_bound, write_long

TRACE_BYTES: Final = 200_000_000
MAX_MEMORY: Final = 500_000_000
"""Bytes resident at most, the interpreter and NumPy among them."""
MAX_SECONDS: Final = 60.0

_MEASURED: Final = """
import json, resource, subprocess, sys, time
began = time.monotonic()
with open(sys.argv[2], "w") as output:
    done = subprocess.run([sys.executable, "-m", "ocr_otel.profiling.kineto", sys.argv[1]], stdout=output)
seconds = time.monotonic() - began
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
print(json.dumps([done.returncode, seconds, memory]))
"""
"""Starts the reader from a small process: Linux counts what the parent held before into its memory."""


@pytest.mark.parametrize("packed", [False, True])
def test_a_trace_of_200_mb_takes_little_memory_and_time(packed: bool, tmp_path: Path) -> None:
    path = write_long(launch_bound(batches=4, stack=True), tmp_path / "trace.json", TRACE_BYTES)
    assert path.stat().st_size >= TRACE_BYTES
    if packed:
        subprocess.run(["gzip", "-1", str(path)], check=True)
        path = path.with_name("trace.json.gz")
    output = tmp_path / "profile.json"
    command = [sys.executable, "-c", _MEASURED, str(path), str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    status, seconds, memory = json.loads(done.stdout)
    print(f"{memory / 1e6:.0f} MB, {seconds:.1f} s")
    assert status == 0
    profile = serial.loads(output.read_text())
    assert profile.complete
    assert profile.events > 700_000
    assert len(profile.batches) > 200
    assert memory < MAX_MEMORY
    assert seconds < MAX_SECONDS
