"""Reads the OTLP-JSON lines of a run directory with their byte offsets, and gathers them into requests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ocr_otel.otlp import ITEMS, JSON_CONSTANTS, Signal
from ocr_otel.runs.lines import numbered
from ocr_otel.runs.locate import inside
from ocr_otel.spool import SIGNALS, spools

__all__ = ["ITEMS", "SIGNALS", "Signal"]

RESOURCES: Final[dict[Signal, str]] = {
    "traces": "resourceSpans",
    "metrics": "resourceMetrics",
    "logs": "resourceLogs",
}
"""The one field of an export request of each signal."""

MAX_ITEMS: Final = 512
"""Items of one request: the SDK's own batch size, which every receiver is used to."""
MAX_BYTES: Final = 1_000_000
"""Bytes of JSON of one request: a quarter of the 4 MiB that gRPC hops behind a receiver allow by default."""


class ReplayError(Exception):
    """The replay cannot begin: the message says what was given and what to do."""


@dataclass(frozen=True, slots=True)
class TelemetryFile:
    """One file of one signal.

    Attributes:
        path: Where it is.
        name: Its path inside the run directory, such as `rank-1/traces.jsonl`.
        signal: What is in it.
    """

    path: Path
    name: str
    signal: Signal


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file is done.

    Attributes:
        offset: Bytes done.
        line: Lines done.
    """

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One export request as it was recorded.

    Attributes:
        resources: The elements of `resourceSpans`, `resourceMetrics` or `resourceLogs`.
        items: Spans, points or records in them.
        size: Bytes.
        after: Position behind the line, whose `line` is therefore the line's own number.
    """

    resources: list[Any]
    items: int
    size: int
    after: Position


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that cannot be read.

    Attributes:
        name: The file, inside the run directory.
        line: Its number, from 1.
        reason: What is wrong with it.
        after: Where reading goes on. It is the line's beginning where the last line is cut, because the run may
            still be writing it.
    """

    name: str
    line: int
    reason: str
    after: Position


def rank_folders(run: Path) -> list[Path]:
    """Return the folders of a run in which telemetry may lie: its own, and those of its ranks."""
    return [run, *sorted(run.glob("rank-*"), key=_rank)]


def telemetry_files(run: Path, signals: Sequence[Signal] = SIGNALS) -> list[TelemetryFile]:
    """List the telemetry files of a run directory, those of its ranks included.

    Returns:
        The files; none where the run was sent to an endpoint, and what that did not take waits in a spool.

    Raises:
        ReplayError: It is not a run directory.
    """
    if not run.is_dir():
        raise ReplayError(f"{run} is not a directory: name a run directory, such as one below runs/.")
    folders = rank_folders(run)
    found = [
        TelemetryFile(path, path.relative_to(run).as_posix(), signal)
        for signal in SIGNALS
        for folder in folders
        if inside(path := folder / f"{signal}.jsonl", run)
    ]
    if not found and not any(spools(folder) for folder in folders):
        raise ReplayError(
            f"{run} is not a run directory: it holds none of {', '.join(f'{each}.jsonl' for each in SIGNALS)}, "
            "no spool/, nor rank-*/ folders with them."
        )
    return [each for each in found if each.signal in signals]


def read(file: TelemetryFile, start: Position) -> Iterator[Line | Damage]:
    """Read a file from a position on.

    Yields:
        Each line, or what is wrong with it. Empty lines are passed over.
    """
    before = start
    for raw, offset, number in numbered(file.path, start.offset, start.line):
        after = Position(offset, number)
        if raw.strip():
            try:
                resources, items = parse(raw, file.signal)
            except (ValueError, RecursionError) as error:
                if raw.endswith(b"\n"):
                    yield Damage(file.name, number, str(error), after)
                else:
                    yield Damage(file.name, number, "cut before its end", before)
            else:
                yield Line(resources, items, len(raw), after)
        before = after


def gather(lines: Iterable[Line], max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES) -> Iterator[list[Line]]:
    """Gather lines into requests of bounded size; a line that is larger than a bound is a request of its own."""
    batch: list[Line] = []
    items = size = 0
    for line in lines:
        if batch and (items + line.items > max_items or size + line.size > max_bytes):
            yield batch
            batch, items, size = [], 0, 0
        batch.append(line)
        items += line.items
        size += line.size
    if batch:
        yield batch


def parse(raw: bytes, signal: Signal) -> tuple[list[Any], int]:
    """Read a line.

    Returns:
        The elements of its one field, and how many spans, points or records are in them.

    Raises:
        ValueError: It is no export request of that signal.
    """
    try:
        # Python writes and reads NaN bare, which is not JSON: the protobuf mapping has it as a string.
        request = json.loads(raw, parse_constant=JSON_CONSTANTS.__getitem__)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON at column {error.colno}") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    resources = request.get(RESOURCES[signal]) if isinstance(request, dict) else None
    if not isinstance(resources, list):
        raise ValueError(f"no OTLP export request: it has no list {RESOURCES[signal]}")
    try:
        return resources, sum(_count(resource, signal) for resource in resources)
    except (AttributeError, TypeError):
        raise ValueError(f"no OTLP export request: {RESOURCES[signal]} is not in its form") from None


def _count(resource: dict[str, Any], signal: Signal) -> int:
    match signal:
        case "traces":
            return sum(len(scope.get("spans", ())) for scope in resource.get("scopeSpans", ()))
        case "logs":
            return sum(len(scope.get("logRecords", ())) for scope in resource.get("scopeLogs", ()))
        case "metrics":
            return sum(
                len(data.get("dataPoints", ()))
                for scope in resource.get("scopeMetrics", ())
                for metric in scope.get("metrics", ())
                for data in metric.values()
                if isinstance(data, dict)
            )


def _rank(folder: Path) -> tuple[int, str]:
    number = folder.name.removeprefix("rank-")
    return (int(number), "") if number.isdigit() else (0, number)
