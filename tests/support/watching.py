"""`ocr-otel watch` as a process, and its page's address."""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.scripts import clean_environment

LONGEST_START = 90.0


class Watching:
    """The server; as a context manager it is started and ended.

    Args:
        arguments: Of the command.
        folder: Where it runs.
    """

    def __init__(self, *arguments: str | Path, folder: Path) -> None:
        self._arguments = [Path(sys.executable).with_name("ocr-otel"), "watch", *map(str, arguments)]
        self._folder = folder
        self.address = ""
        self.output: list[str] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self._arguments,
            cwd=self._folder,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        deadline = time.monotonic() + LONGEST_START
        while not self.address:
            with suppress(queue.Empty):
                found = re.search(r"http://\S+", lines.get(timeout=0.2))
                self.address = found[0] if found else ""
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
        return self

    def _read(self, lines: queue.Queue[str]) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            lines.put(line)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def memory(self) -> int:
        """Resident memory of the server now, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024
