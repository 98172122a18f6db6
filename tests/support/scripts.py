"""Runs scripts as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LONGEST_RUN = 150


def clean_environment(**environment: str) -> dict[str, str]:
    """The variables of this process, with no `OCR_OTEL_*` and `OTEL_*` variables but those given."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_"))}
    return clean | environment


def run_python(arguments: list[object], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python on `arguments` in `folder`, with no `OCR_OTEL_*` and `OTEL_*` variables but those given."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )


def train(variant: str, folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a variant of `training_script.py`, instrumented, as run `run` in `folder/runs`."""
    enabled = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUNS_DIR": str(folder / "runs"), "OCR_OTEL_RUN_ID": "run"}
    script = [FOLDER / "training_script.py", variant, f"--root={folder / 'root'}", f"--losses={folder / 'losses.json'}"]
    return run_python([*script, *arguments], folder, **enabled | environment)
