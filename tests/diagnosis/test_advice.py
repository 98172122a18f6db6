"""A verdict's advice, followed as it stands, makes the training faster."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.runs import load
from ocr_otel.runs.model import SpanRecord
from tests.support.scripts import run_python

SLOWER_THAN_THIS = 0.7
"""Time after the advice as a share of that before, from which on it would not be worth following."""


def demonstrate(folder: Path, run: str, *options: str) -> SpanRecord:
    """Run `ocr-otel demo --slow-loader` and return the span of its fit."""
    command = [Path(sys.executable).with_name("ocr-otel"), "demo", "--slow-loader", "--samples=480", "--epochs=1"]
    program = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    done = run_python(
        ["-c", program, *command, *options],
        folder,
        OCR_OTEL_RUN_ID=run,
        OMP_NUM_THREADS="1",
    )
    assert done.returncode == 0, done.stderr
    (entry,) = load(folder / "runs" / run).entries
    assert entry.root is not None
    return entry.root


@pytest.mark.timeout(300)
def test_the_slow_loader_is_named_and_the_advice_makes_it_faster(tmp_path: Path) -> None:
    before = demonstrate(tmp_path, "before")
    assert before.text(semconv.BOTTLENECK_KIND) == "data", before.attributes
    advice = before.text(semconv.BOTTLENECK_ADVICE)
    change = re.search(r"num_workers (\d+) → (\d+)", advice)
    assert change, f"the advice names no number of workers: {advice}"
    present, advised = map(int, change.groups())
    assert present == 2
    assert advised > present

    after = demonstrate(tmp_path, "after", f"--workers={advised}")
    assert after.seconds < SLOWER_THAN_THIS * before.seconds, (
        f"{before.seconds:.2f} s with {present} workers, {after.seconds:.2f} s with {advised}: {advice}"
    )
    faster = before.seconds / after.seconds
    promised = before.number(semconv.BOTTLENECK_SPEEDUP)
    # An upper bound is what it is said to be, but for what a busy machine does to one of two runs.
    assert faster < 1.25 * promised, f"{faster:.2f} times as fast, and at most {promised:.2f} was promised"
