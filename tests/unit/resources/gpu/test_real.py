"""A real GPU, where there is one: what is read is what `nvidia-smi` says."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from ocr_otel import semconv

pytestmark = pytest.mark.timeout(120)

ASKED: Final = "uuid,memory.total,memory.used,temperature.gpu,power.draw,power.limit,clocks.sm,utilization.gpu"

READ: Final = """
import json, sys, time
from ocr_otel.resources.gpu.source import GpuSource
source = GpuSource("all", lambda *_: None, lambda *_: None)
source.open()
list(source.read())
time.sleep(1)
began = time.thread_time()
found = [[series.metric, dict(series.attributes), value] for series, value in source.read()]
cost = time.thread_time() - began
source.close()
print(json.dumps([found, cost]))
"""


def _gpus() -> dict[str, dict[str, str]]:
    smi = shutil.which("nvidia-smi")
    if smi is None or not Path("/dev/nvidiactl").exists():
        pytest.skip("needs an NVIDIA GPU: there is no nvidia-smi or no /dev/nvidiactl here")
    command = [smi, f"--query-gpu={ASKED}", "--format=csv,noheader,nounits"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    rows = [[word.strip() for word in line.split(",")] for line in said.splitlines()]
    return {row[0]: dict(zip(ASKED.split(","), row, strict=True)) for row in rows}


def test_readings_of_a_real_gpu_are_those_of_nvidia_smi() -> None:
    gpus = _gpus()
    # In a process of its own: this one may have loaded the fake library.
    environ = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    done = subprocess.run(
        [sys.executable, "-c", READ], env=environ, capture_output=True, text=True, timeout=100, check=True
    )
    found, cost = json.loads(done.stdout)
    assert {attributes["hw.id"] for _, attributes, _ in found if "hw.parent" not in attributes} == set(gpus)
    assert cost < 0.05 * len(gpus)
    for uuid, said in gpus.items():
        read = {
            (metric, attributes.get("hw.sensor_location") or attributes.get(semconv.GPU_CLOCK_DOMAIN) or ""): value
            for metric, attributes, value in found
            if attributes["hw.id"] == uuid and attributes.get("hw.gpu.task", "general") == "general"
        }
        # Name in nvidia-smi, series, what one of nvidia-smi's units is in ours, and how far apart two moments may be.
        for name, key, unit, apart in (
            ("memory.total", (semconv.GPU_MEMORY_LIMIT, ""), 1 << 20, 2 << 20),
            ("memory.used", (semconv.GPU_MEMORY_USAGE, ""), 1 << 20, 4 << 30),
            ("temperature.gpu", (semconv.GPU_TEMPERATURE, "gpu"), 1, 15),
            ("power.draw", (semconv.GPU_POWER, ""), 1, 400),
            ("power.limit", (semconv.GPU_POWER_LIMIT, ""), 1, 1),
            ("clocks.sm", (semconv.GPU_CLOCK, "sm"), 1e6, 2e9),
            ("utilization.gpu", (semconv.GPU_UTILIZATION, ""), 0.01, 1),
        ):
            if said[name].replace(".", "").isdigit() and key in read:
                assert read[key] == pytest.approx(float(said[name]) * unit, abs=apart), name
        assert (semconv.GPU_TEMPERATURE, "gpu") in read
