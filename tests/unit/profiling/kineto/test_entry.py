"""The process that reads a trace: what it prints, how it ends, and what it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ocr_otel.profiling import serial
from ocr_otel.profiling.kineto.analysis import profile_of
from tests.support.kineto_traces import Workload, write


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ocr_otel.profiling.kineto", *(str(each) for each in arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_it_prints_the_profile(tmp_path: Path) -> None:
    path = write(Workload(batches=2, layers=3), tmp_path / "trace.json.gz")
    done = run(path)
    assert (done.returncode, done.stderr) == (0, "")
    assert serial.loads(done.stdout) == profile_of(path)


@pytest.mark.parametrize("text", ["", "{}", "not JSON", '{"traceEvents": [{"ph"'])
def test_what_cannot_be_read_is_one_line_on_standard_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(text)
    done = run(path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(str(path))
    assert done.stderr.count("\n") == 1


def test_it_wants_one_file() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stderr.startswith("usage:")


def test_neither_torch_nor_lightning_is_imported() -> None:
    code = (
        "import sys, ocr_otel.profiling.kineto.__main__, ocr_otel.profiling.span_events\n"
        "print([name for name in sys.modules if name.partition('.')[0] in"
        " ('torch', 'lightning', 'pytorch_lightning', 'pydantic', 'opentelemetry.sdk', 'rich')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
