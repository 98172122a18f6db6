"""Disks in memory, for tests of what becomes of one that is small or cannot be written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


def mount(disk: Path, options: str) -> None:
    """Mount a tmpfs; CI must be able to, elsewhere the test is skipped where it cannot be done."""
    disk.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk], capture_output=True, check=False)
    if done.returncode:
        assert os.environ.get("CI") is None, f"CI must be able to mount a tmpfs: {done.stderr!r}"
        pytest.skip("mounting a tmpfs needs root")


def unmount(disk: Path) -> None:
    """Unmount all that is mounted there."""
    while subprocess.run(["umount", disk], capture_output=True, check=False).returncode == 0:
        pass
