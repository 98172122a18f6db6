"""Real processes that read and write when they are told to, as a dataloader's workers do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

_PROGRAM = """
import os, sys
for line in sys.stdin:
    words = line.split()
    if words[0] == "read":
        file = os.open(words[1], os.O_RDONLY)
        while os.read(file, 1 << 17):
            pass
        os.close(file)
    elif words[0] == "spin":
        import time
        end = time.process_time() + float(words[1])
        while time.process_time() < end:
            pass
    print("done", flush=True)
"""


class Worker:
    """A child process; ends with the block it is used in.

    Args:
        environment: Its environment, this process's own unless given.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.pid = self._process.pid

    def __enter__(self) -> Worker:
        self.do("wait")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def do(self, what: str) -> None:
        """Have it do something, and wait until it is done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"

    def end(self, wait: bool = True) -> None:
        """Let it end; without waiting it stays until it is waited for, as what the kernel calls a zombie."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if wait:
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process.wait(10)


def read_whole(worker: Worker, path: Path) -> None:
    """Have a worker read a file."""
    worker.do(f"read {path}")
