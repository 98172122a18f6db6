"""The demo as the command runs it; it is a real training, of the smallest size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SMALLEST = ["--epochs", "1", "--samples", "64", "--workers", "0"]


def demo(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OCR_OTEL_", "OTEL_"))}
    return subprocess.run(
        [sys.executable, "-m", "typer", "ocr_otel.cli.main", "run", "demo", *arguments],
        cwd=folder,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def test_trains_and_makes_the_report(tmp_path: Path) -> None:
    done = demo(tmp_path, *SMALLEST)
    assert done.returncode == 0, done.stderr
    (page,) = tmp_path.glob("runs/*/report.html")
    assert done.stdout.rstrip().endswith(f"Report: {page.relative_to(tmp_path)}")


def test_status_of_the_training_is_passed_on_and_variables_are_respected(tmp_path: Path) -> None:
    assert demo(tmp_path, "--epochs", "some").returncode == 2
    off = demo(tmp_path, *SMALLEST, OCR_OTEL_ENABLED="false")
    assert off.returncode == 0, off.stderr
    assert "No run directory was written" in off.stdout
    assert not (tmp_path / "runs").exists()


def test_wrong_settings_are_said_before_the_training(tmp_path: Path) -> None:
    done = demo(tmp_path, OCR_OTEL_BATCH_SPANS="many")
    assert done.returncode == 1
    assert "OCR_OTEL_BATCH_SPANS='many' is not allowed" in done.stderr
    assert "Traceback" not in done.stderr
