"""The report of a run as a file for trackers, made by another process: plots and templates are not loaded into ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

REPORT_SECONDS: Final = 60.0
"""That the end of a run waits for its report, where it is asked for."""
FILE: Final = "report.html"


class NoReportError(Exception):
    """There is no report; the message says why."""


def make_report(directory: Path, folder: Path) -> Path:
    """Write the report of a run directory into a folder, and return its path.

    Raises:
        NoReportError: It could not be made.
    """
    path = folder / FILE
    command = [sys.executable, "-m", "ocr_otel.cli", "report", str(directory), "--output", str(path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OCR_OTEL_")}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=REPORT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NoReportError(f"the report took longer than {REPORT_SECONDS:g} s") from None
    if done.returncode:
        raise NoReportError(f"the report could not be made: {done.stderr.strip()[-300:]}")
    return path
