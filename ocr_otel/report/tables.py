"""Events of a profiler window as tables: a table for each kind of event, a column for each attribute."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.diagnosis.words import plural
from ocr_otel.report import described
from ocr_otel.report.quantities import quantity
from ocr_otel.report.readings import Column
from ocr_otel.runs import finite

NOT_TABLES: Final = frozenset({semconv.BOTTLENECK_EVENT, semconv.EXCEPTION_EVENT})
"""Events of a window that are shown in another way."""


@dataclass(frozen=True, slots=True)
class Table:
    """Events of one kind.

    Attributes:
        title: What they are.
        meaning: What the vocabulary says of them.
        columns: Their attributes; one that no event has is left out, as one that is zero in all.
        numeric: For each column, whether it holds numbers.
        rows: For each event its values as people read them, in the order of the columns; empty where it has none.
    """

    title: str
    meaning: str
    columns: list[Column]
    numeric: list[bool]
    rows: list[list[str]]


def tables(events: Iterable[tuple[str, Mapping[str, Any]]]) -> list[Table]:
    """Return the tables of a window, in the order in which their first events were recorded."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for name, attributes in events:
        if name not in NOT_TABLES and attributes:
            found.setdefault(name, []).append(attributes)
    return [_table(name, rows) for name, rows in found.items()]


def _table(event: str, rows: list[Mapping[str, Any]]) -> Table:
    names = [
        name for name in dict.fromkeys(key for row in rows for key in row) if any(_told(row, name) for row in rows)
    ]
    # What a row is called stands before what is counted of it.
    names.sort(key=lambda name: _numeric(rows, name))
    prefix = f"training.{event}."
    if not all(name.startswith(prefix) for name in names):
        prefix = _common(names)
    word = event.rpartition(".")[2].replace("_", " ")
    title = word if len(rows) == 1 else plural(word)
    return Table(
        title=f"{title[:1].upper()}{title[1:]}",
        meaning=semconv.EVENTS[event].meaning if event in semconv.EVENTS else "",
        columns=[described.column(name, prefix) for name in names],
        numeric=[_numeric(rows, name) for name in names],
        rows=[[_cell(name, row.get(name)) for name in names] for row in rows],
    )


def _cell(name: str, value: Any) -> str:
    if not _shown(value):
        return ""
    # Names of operators and kernels, and lines of code, are shown letter by letter; what is counted heads its column.
    if isinstance(value, str):
        return value
    counted = name in semconv.ATTRIBUTES and semconv.ATTRIBUTES[name].unit.startswith("{")
    return quantity(value, "") if counted else described.written(name, value)


def _told(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return _shown(value) and value != 0


def _shown(value: Any) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return math.isfinite(finite(value, math.nan))
    return value not in (None, "", [])


def _numeric(rows: list[Mapping[str, Any]], name: str) -> bool:
    values = [row[name] for row in rows if _shown(row.get(name))]
    return all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)


def _common(names: list[str]) -> str:
    """Return what all names begin with, up to a dot."""
    parts = [name.split(".")[:-1] for name in names]
    common = 0
    while parts and all(len(part) > common and part[common] == parts[0][common] for part in parts):
        common += 1
    return "".join(f"{part}." for part in parts[0][:common]) if parts else ""
