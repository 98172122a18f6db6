"""Starts, finds and stops the stack as a whole."""

from __future__ import annotations

import fcntl
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel.stack import processes
from ocr_otel.stack.binaries import BINARIES
from ocr_otel.stack.errors import StackError
from ocr_otel.stack.files import Layout
from ocr_otel.stack.plan import Plan, Server, make_plan
from ocr_otel.stack.ports import explain_taken, taken
from ocr_otel.stack.preparing import prepare

READY_SECONDS: Final = 60.0
"""How long all servers together may take until they are ready: each takes a second or two on a laptop."""
STOP_SECONDS: Final = 15.0
"""How long a server has to end by itself: the Collector flushes its queue, Prometheus writes its head block."""
_POLL_SECONDS: Final = 0.1
_SHOWN_LINES: Final = 12
_NAMES: Final = ("agent", "collector", "gateway", "alertmanager", "prometheus", "jaeger")
"""Every server there can be, in order of stopping: senders before those that receive from them."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """How a server stands.

    Attributes:
        server: Which.
        pid: Its process; None when it does not run.
        is_ready: Whether it answers that it does its work.
    """

    server: Server
    pid: int | None
    is_ready: bool


def running_plan(layout: Layout, configuration: Path) -> Plan | None:
    """Return what was started last in this directory, or None when nothing was or it was stopped.

    Raises:
        StackError: The description is not readable.
    """
    try:
        written = json.loads(layout.description.read_text(encoding="utf-8"))
        return make_plan(layout, configuration, bool(written["team"]), int(written["port_offset"]))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackError(f"cannot read {layout.description}: {error}; delete it after `ocr-otel stack down`") from error


def up(
    plan: Plan,
    layout: Layout,
    configuration: Path,
    binaries: Mapping[str, Path],
    on_ready: Callable[[Server], None] = lambda _: None,
) -> None:
    """Start every server and wait until each does its work; when one fails, none is left running.

    Args:
        plan: What to start.
        layout: The stack's directory.
        configuration: `collector-config/`.
        binaries: The programs by name.
        on_ready: Told of each server that is ready.

    Raises:
        StackError: A port is taken, something of the stack runs already, or a server did not become ready.
    """
    with _alone(layout):
        if alive := [name for name in _NAMES if processes.find(layout.process(name))]:
            raise StackError(f"{', '.join(alive)} of {layout.root} already running: `ocr-otel stack down` first")
        if occupied := taken(dict(plan.ports)):
            words = "; ".join(explain_taken(port) for port in occupied)
            raise StackError(f"{words}. Nothing was started: stop what listens there, or use --port-offset")
        secrets = prepare(plan, layout, configuration)
        # Before the first server, so that `down` and `status` know of it even if this process is killed.
        layout.description.write_text(json.dumps({"team": plan.team, "port_offset": plan.offset}), encoding="utf-8")
        started: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for server in plan.servers:
                started[server.name] = processes.start(
                    [str(binaries[server.binary]), *server.arguments],
                    {**server.environment, **secrets},
                    server.directory,
                    layout.log(server.name),
                    layout.process(server.name),
                )
            _wait_until_ready(plan, layout, started, on_ready)
        except BaseException:
            _stop_all(layout)
            raise


def down(layout: Layout) -> list[str]:
    """Stop what runs, also what a killed `up` left.

    Returns:
        The servers that did not end by themselves and were killed.
    """
    if not layout.root.is_dir():
        return []
    with _alone(layout):
        return _stop_all(layout)


def state(plan: Plan, layout: Layout) -> list[ServerState]:
    """Return how each server of the plan stands."""
    found = []
    for server in plan.servers:
        process = processes.find(layout.process(server.name))
        is_ready = process is not None and processes.answers(server.ready_url)
        found.append(ServerState(server, process.pid if process else None, is_ready))
    return found


def _wait_until_ready(
    plan: Plan, layout: Layout, started: Mapping[str, subprocess.Popen[bytes]], on_ready: Callable[[Server], None]
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    waiting = list(plan.servers)
    while waiting:
        for server in plan.servers:
            status = started[server.name].poll()
            if status is not None:
                raise StackError(_said(f"{server.name} ended at its start with status {status}", layout, server))
        for server in list(waiting):
            if processes.answers(server.ready_url):
                waiting.remove(server)
                on_ready(server)
        if waiting and time.monotonic() > deadline:
            server = waiting[0]
            raise StackError(
                _said(f"{server.name} is not ready after {READY_SECONDS:.0f} s ({server.ready_url})", layout, server)
            )
        if waiting:
            time.sleep(_POLL_SECONDS)


def _said(what: str, layout: Layout, server: Server) -> str:
    log = layout.log(server.name)
    lines = processes.last_lines(log, _SHOWN_LINES)
    end = f"; the end of {log}:\n  " + "\n  ".join(lines) if lines else f"; {log} is empty"
    return f"{what}. Everything was stopped{end}"


def _stop_all(layout: Layout) -> list[str]:
    killed = [name for name in _NAMES if processes.stop(layout.process(name), STOP_SECONDS)]
    killed += processes.stop_unrecorded(BINARIES, {layout.work(name): name for name in _NAMES}, STOP_SECONDS)
    layout.description.unlink(missing_ok=True)
    return killed


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold the directory: two that start or stop at the same time would take each other's servers for dead."""
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        lock = layout.lock.open("w")
    except OSError as error:
        raise StackError(f"cannot write to {layout.root}: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(f"another `ocr-otel stack` is at work in {layout.root}") from None
        yield
