"""Runs one training twice, with ocr_otel and without: what its user sees is to be the same, bit by bit."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil

SCRIPT = Path(__file__).parent / "user_training.py"
LONGEST_RUN = 150
LONGEST_DELIVERY = 20
"""Seconds in which deliveries have ended that are told to."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a training's process ended.

    Attributes:
        code: Its exit code; negative where a signal ended it.
        out: What the user's code said.
        err: What all said on stderr.
    """

    code: int
    out: str
    err: str

    @property
    def ours(self) -> list[str]:
        """Lines of stderr in which ocr_otel says something."""
        # Lightning itself says of each Trainer that it has a callback of ours.
        lightning = "from entry point 'ocr_otel'"
        return [line for line in self.err.splitlines() if "ocr_otel" in line and lightning not in line]


def environment(folder: Path, on: bool, **more: str) -> dict[str, str]:
    """Return the environment of a training whose run is `run` in `folder/runs`; empty variables are left out."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_", "SLURM_"))}
    if not on:
        return clean | {key: value for key, value in more.items() if not key.startswith(("OCR_OTEL", "OTEL_"))}
    ours = {
        "OCR_OTEL_ENABLED": "true",
        "OCR_OTEL_RUNS_DIR": str(folder / "runs"),
        "OCR_OTEL_RUN_ID": "run",
        "OCR_OTEL_SUMMARY": "false",
    }
    return {key: value for key, value in (clean | ours | more).items() if value}


def start(command: list[object], folder: Path, on: bool = True, **more: str) -> subprocess.Popen[str]:
    """Start a Python command as a user would.

    Args:
        command: Arguments of the interpreter.
        folder: Where it runs.
        on: Whether with ocr_otel.
        more: Further environment variables.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=folder,
        env=environment(folder, on, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str], seconds: float = LONGEST_RUN) -> Ended:
    """Wait until a process has ended; one that takes longer is killed, and fails the test."""
    with process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    return Ended(process.returncode, out, err)


def train(folder: Path, circumstance: str, *arguments: object, on: bool = True, **more: str) -> subprocess.Popen[str]:
    """Start `user_training` in a circumstance."""
    return start([SCRIPT, circumstance, *arguments, f"--root={folder / 'root'}"], folder, on, **more)


def train_both(folder: Path, circumstance: str, *arguments: object, **more: str) -> Ended:
    """Run `user_training` without ocr_otel and with, check that its user cannot tell; return how the latter ended."""
    without = train(folder / "without", circumstance, *arguments, on=False, **more)
    with_ours = train(folder / "with", circumstance, *arguments, **more)
    return check_same(end(without), end(with_ours))


def check_same(without: Ended, with_ours: Ended) -> Ended:
    """Check that a training ended as it does without us, with the same losses, and that each failure was said once."""
    assert with_ours.out == without.out, f"{with_ours.err}\n--- without ---\n{without.err}"
    assert with_ours.code == without.code, with_ours.err
    check_said_once(with_ours)
    return with_ours


def check_said_once(ended: Ended) -> None:
    """Check that nothing of ours was said twice, and that no traceback of ours was shown."""
    # The numbers in a sentence may differ; it is the same sentence.
    said = Counter(re.sub(r"\d+", "N", line) for line in ended.ours)
    assert not [line for line, times in said.items() if times > 1], ended.err
    assert "Exception ignored" not in ended.err, ended.err
    assert "/ocr_otel/" not in ended.err.replace("/ocr_otel/training/worker.py", ""), ended.err


def end_deliveries(folder: Path) -> None:
    """End what still tries to deliver from runs in a folder.

    A watchdog ends with its delivery, and not before; it may begin it only now.
    """
    ends = time.monotonic() + LONGEST_DELIVERY
    while (found := _running_in(folder)) and time.monotonic() < ends:
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        psutil.wait_procs(found, 0.5)


def _running_in(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or ())
    ]
