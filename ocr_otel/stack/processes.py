"""Starts servers that outlive this process, finds them again, and stops them; never a process of somebody else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

_CLOCK_TOLERANCE: Final = 2.0
"""Seconds by which the create time of one process may seem to differ, since it is counted from the boot time that
follows the clock; a process number is not used again within so short a time."""
_POLL_SECONDS: Final = 0.05
_FOREIGN_PREFIXES: Final = ("OTEL_", "OCR_OTEL_")
"""The user's variables for a training would reach into the servers, which are instrumented themselves."""
DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Servers on this machine are asked directly, whatever proxies the environment names."""


def start(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path, record: Path
) -> subprocess.Popen[bytes]:
    """Start a server in the background and write down which process it is.

    Args:
        command: Program and arguments.
        environment: Variables on top of this process's own.
        directory: Where it works; made if missing.
        log: Gets what it says; the log of the start before is kept with `.1`.
        record: Gets process number and create time.
    """
    for path in (directory, log.parent, record.parent):
        path.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN_PREFIXES)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            list(command),
            cwd=directory,
            env={**inherited, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the terminal is for whoever started the servers, not for them.
            start_new_session=True,
        )
    try:
        created = psutil.Process(process.pid).create_time()
        _write(record, json.dumps({"pid": process.pid, "created": created}))
    except BaseException:
        # What is not written down would never be stopped.
        process.kill()
        process.wait()
        raise
    return process


def find(record: Path) -> psutil.Process | None:
    """Return the process that is written down, if it still runs."""
    try:
        written = json.loads(record.read_text(encoding="utf-8"))
        process = psutil.Process(int(written["pid"]))
        is_ours = abs(process.create_time() - float(written["created"])) < _CLOCK_TOLERANCE
        return process if is_ours and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None


def stop(record: Path, seconds: float) -> bool:
    """Stop the process that is written down: ask, and kill it when it has not ended after `seconds`.

    Returns:
        Whether it had to be killed.
    """
    process = find(record)
    was_killed = process is not None and _stop(process, seconds)
    record.unlink(missing_ok=True)
    return was_killed


def stop_unrecorded(programs: Collection[str], servers: Mapping[Path, str], seconds: float) -> list[str]:
    """Stop servers whose starter was killed before it could write them down, as `stop` does.

    Args:
        programs: Names of the programs that servers are.
        servers: The servers by the directory in which each, and nobody else, works.
        seconds: How long each has to end by itself.

    Returns:
        The servers that had to be killed.
    """
    by_directory = {str(directory.resolve()): name for directory, name in servers.items()}
    found = [
        (by_directory[process.info["cwd"]], process)
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] in programs and process.info["cwd"] in by_directory
    ]
    return [name for name, process in found if _stop(process, seconds)]


def _stop(process: psutil.Process, seconds: float) -> bool:
    was_killed = False
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        was_killed = not _ends(process, seconds)
        if was_killed:
            process.kill()
            _ends(process, seconds)
    return was_killed


def _ends(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # A zombie has ended: in many containers nobody collects what lost its parent.
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(_POLL_SECONDS)
    return False


def answers(url: str, timeout: float = 2.0) -> bool:
    """Return whether a server answers 200 at `url`."""
    try:
        with DIRECT.open(url, timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def last_lines(log: Path, count: int) -> list[str]:
    """Return the end of a log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 64 * 1024))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
