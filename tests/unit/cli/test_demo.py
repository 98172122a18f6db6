"""The demo as the command runs it; it is a real training, of the smallest size."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ocr_otel.cli.main import app

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


def test_status_of_the_training_is_passed_on(tmp_path: Path) -> None:
    assert demo(tmp_path, "--epochs", "some").returncode == 2


def test_variables_are_respected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, str] = {}

    def train(arguments: list[str], environment: dict[str, str]) -> int:
        assert arguments == ["--slow-loader", "--epochs", "3"]
        asked.update(environment)
        return 0

    monkeypatch.setattr("ocr_otel.cli.demo._train", train)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCR_OTEL_ENABLED", "false")
    monkeypatch.setenv("OCR_OTEL_RUN_ID", "mine")
    result = CliRunner().invoke(app, ["demo", "--slow-loader", "--epochs", "3"])
    assert result.exit_code == 0, result.output
    assert (asked["OCR_OTEL_ENABLED"], asked["OCR_OTEL_RUN_ID"]) == ("false", "mine")
    assert "No run directory was written" in result.output


def test_wrong_settings_are_said_before_the_training(tmp_path: Path) -> None:
    done = demo(tmp_path, OCR_OTEL_BATCH_SPANS="many")
    assert done.returncode == 1
    assert "OCR_OTEL_BATCH_SPANS='many' is not allowed" in done.stderr
    assert "Traceback" not in done.stderr
