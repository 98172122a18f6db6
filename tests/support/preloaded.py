"""Processes that have imported PyTorch and Lightning when they begin: that takes longer than a small training.

Each is forked from one server process, and then does what a process of its own does: it runs a script as the main
program with an environment, arguments and an output of its own.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.preloaded_modules"])
_OURS = ("OCR_OTEL", "OTEL_", "TRACEPARENT", "TRACESTATE", "TORCHELASTIC", "MASTER_", "LOCAL_RANK", "RANK")


@dataclass
class Process:
    """One that was started.

    Attributes:
        output: What it says.
    """

    process: Any
    output: Path

    def wait(self, deadline_seconds: float = 100) -> int:
        """Return its status; it is killed when it takes too long."""
        self.process.join(deadline_seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        status: int = self.process.exitcode
        return status


@dataclass(frozen=True)
class Program:
    """What a process runs.

    Attributes:
        argv: The script and its arguments.
        folder: Where it runs.
        output: Where its output goes.
        environment: On top of a clean one.
        patches: Python that is run before it, for what no environment can plant.
    """

    argv: Sequence[str]
    folder: Path
    output: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    patches: str = ""


def begin(program: Program) -> Process:
    """Start a process."""
    process = _CONTEXT.Process(target=_run, args=(program,))
    process.start()
    return Process(process, program.output)


def _run(program: Program) -> None:
    descriptor = os.open(program.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ.update(program.environment)
    os.chdir(program.folder)
    sys.argv = list(program.argv)
    exec(program.patches, {})
    try:
        runpy.run_path(program.argv[0], run_name="__main__")
    except Exception:
        traceback.print_exc()
        raise SystemExit(1) from None
    finally:
        # A process of `multiprocessing` leaves them out.
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
