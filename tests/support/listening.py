"""Starts trainings that only listen, and stops them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).with_name("listening_script.py")
ROOT = Path(__file__).parents[2]


class Listening:
    """A process of `listening_script.py`."""

    def __init__(self, *arguments: object, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, SCRIPT, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            **options,
        )
        self.said: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.strip())
            if line.strip() == "ready":
                return
        raise AssertionError(f"it did not begin to listen: {self.said}")

    def stop(self) -> list[str]:
        """Let it end and return what it said."""
        if not self.process.stdin.closed:  # type: ignore[union-attr]
            rest, _ = self.process.communicate(timeout=20)
            self.said += rest.splitlines()
        return self.said

    def kill(self) -> None:
        """Kill it, so that it cleans nothing up."""
        self.process.kill()
        self.process.wait(20)

    def opened(self) -> list[int]:
        """Return the steps at which windows opened, as far as it is over."""
        return [int(line.split()[1]) for line in self.said if line.startswith("opened")]


@contextmanager
def listening(*arguments: object, **options: Any) -> Iterator[Listening]:
    """Run a training that only listens."""
    training = Listening(*arguments, **options)
    try:
        yield training
    finally:
        if training.process.poll() is None:
            training.stop()
