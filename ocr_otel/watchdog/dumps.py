"""Stacks as `faulthandler` writes them, made readable: file names without folders, innermost call first."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

LIMIT: Final = 16_384
"""Bytes of a text with all stacks."""
_CUT: Final = "\n… cut"
_FRAME: Final = re.compile(r'^  File "(?P<path>.*)", line (?P<line>\d+|\?\?\?) in (?P<name>.*)$')
_TELEMETRY: Final = re.compile(r"/(ocr_otel|opentelemetry)/")
_STARTS: Final = "threading.py"


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread, or what is known of it.

    Attributes:
        name: What it is called in the text.
        waits: What the kernel says of it.
        frames: Its calls, innermost first; empty where it has no Python stack, or did not tell it.
    """

    name: str
    waits: str
    frames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Process:
    """A process.

    Attributes:
        kind: What it is.
        pid: Its number.
        threads: Its threads.
        note: What else is to be said of it; empty for nothing.
    """

    kind: str
    pid: int
    threads: tuple[Thread, ...] = ()
    note: str = ""


def frames(dump: str) -> tuple[str, ...]:
    """Return the calls of a dump as `file.py:12 in function`; a dump that was cut gives what is there."""
    found = []
    for line in dump.splitlines():
        if match := _FRAME.match(line):
            found.append(f"{match['path'].rpartition('/')[2]}:{match['line']} in {match['name']}")
        elif line == "  ...":
            found.append("…")
    return tuple(found)


def is_telemetry(dump: str) -> bool:
    """Return whether a thread was started by this package or by OpenTelemetry."""
    paths = [match["path"] for line in dump.splitlines() if (match := _FRAME.match(line))]
    outermost = next((path for path in reversed(paths) if path.rpartition("/")[2] != _STARTS), "")
    return _TELEMETRY.search(outermost) is not None


def render(processes: Iterable[Process]) -> str:
    """Return the text of all stacks, at most `LIMIT` bytes; processes of one kind with equal stacks are told once."""
    alike: dict[tuple[str, str], list[int]] = {}
    for process in processes:
        alike.setdefault((process.kind, _body(process)), []).append(process.pid)
    parts = []
    for (kind, body), pids in alike.items():
        plural = "es" if kind.endswith("s") else "s"
        parts.append(f"{kind}{plural if len(pids) > 1 else ''} {', '.join(map(str, pids))}:\n{body}")
    text = "\n".join(parts)
    encoded = text.encode()
    if len(encoded) <= LIMIT:
        return text
    return encoded[: LIMIT - len(_CUT.encode())].decode(errors="ignore") + _CUT


def _body(process: Process) -> str:
    lines = [f"  {process.note}"] if process.note else []
    for thread in process.threads:
        lines.append(f"  {thread.name} ({thread.waits}):" if thread.waits else f"  {thread.name}:")
        lines += [f"    {frame}" for frame in thread.frames]
    return "\n".join(lines)
