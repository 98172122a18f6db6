"""Runs Lightning's tests in their own process, without and with ocr_otel, and bounds how long they may take."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.lightning_suite.comparing import Results, read
from tests.lightning_suite.source import TESTS

PROJECT: Final = Path(__file__).resolve().parents[2]
TEST_SECONDS: Final = 120
"""What one test may take; Lightning's own CI allows 90."""
RUN_SECONDS: Final = 3600.0
"""What the tests of one folder may take."""
QUIET: Final = {"OCR_OTEL_SUMMARY": "false", "OCR_OTEL_TRACKERS": "off"}
"""What users see more of with ocr_otel, on purpose: the card in the terminal, and numbers in their loggers."""
_COMPLETE: Final = (0, 1)
"""pytest's status where all tests ran, and passed or did not."""


class DiedError(Exception):
    """A run was not completed: its process hung or died, or found no tests."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Where it is run.

    Attributes:
        python: The interpreter.
        repository: Lightning's tests.
        results: Where JUnit files and what pytest prints are left.
        scratch: For run directories and what the tests write.
    """

    python: Path
    repository: Path
    results: Path
    scratch: Path

    def run(self, name: str, tests: Sequence[str], recorded: bool) -> Results:
        """Run tests.

        Args:
            name: What this run is called.
            tests: Folders, files or ids, below the folder of all tests.
            recorded: Whether with ocr_otel.

        Raises:
            DiedError: It was not completed.
        """
        called = f"{name}-{'with' if recorded else 'without'}"
        junit = self.results / f"{called}.xml"
        junit.unlink(missing_ok=True)
        said = self.results / f"{called}.txt"
        scratch = self.scratch / called
        command = [
            *(str(self.python), "-m", "pytest", *tests, "-p", "tests.lightning_suite.plugin", "-p", "no:cacheprovider"),
            *("--continue-on-collection-errors", "--quiet", "--color=no", "--tb=short"),
            *(f"--timeout={TEST_SECONDS}", "--timeout-method=signal"),
            *(f"--junitxml={junit}", f"--basetemp={scratch / 'tests'}"),
        ]
        scratch.mkdir(parents=True, exist_ok=True)
        with said.open("wb") as output:
            ended = _bounded(command, self.repository / TESTS, self._environment(scratch, recorded), output.fileno())
        if ended not in _COMPLETE:
            how = f"took longer than {RUN_SECONDS:.0f} s" if ended is None else f"ended with status {ended}"
            raise DiedError(f"{called}: pytest {how}; see {said}")
        return read(junit)

    def _environment(self, scratch: Path, recorded: bool) -> Mapping[str, str]:
        ours = {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUNS_DIR": str(scratch / "runs"), **QUIET} if recorded else {}
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OCR_OTEL", "OTEL_"))}
        # Ranks meet on this machine, whatever its other networks are.
        return clean | {"PYTHONPATH": str(PROJECT), "GLOO_SOCKET_IFNAME": "lo"} | ours


def _bounded(command: Sequence[str], folder: Path, environment: Mapping[str, str], output: int) -> int | None:
    """Run a command and return its status; where it takes too long, end it and all that it started, and return None."""
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        return process.wait(RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
