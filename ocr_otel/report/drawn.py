"""The part of a report that the page's script draws, as compact JSON: numbers and names, not how they look."""

from __future__ import annotations

from typing import Any, Final

from ocr_otel.report.card import parts_of
from ocr_otel.report.data import Bar, BatchRow, EpochRow, ReportData
from ocr_otel.report.readings import Line, Resources
from ocr_otel.report.window_line import WindowLine

PARTS: Final = (
    "fetch",
    "transfer",
    "forward",
    "backward",
    "communication",
    "optimizer",
    "callbacks",
    "loop",
    "validation",
    "checkpoint",
    "other",
)
"""Parts of the wall time in the order in which they are stacked; each has its colour in the style sheet."""

SHADES: Final = 200
"""Units up to the full colour of the heat map: finer than an eye, and than what is written of a delay."""


def drawn(data: ReportData) -> dict[str, Any]:
    """Return what the script of the page reads."""
    return {
        "span": _short(data.span),
        "parts": PARTS,
        "lanes": [[lane.name, lane.label, _short(lane.start), _short(lane.seconds)] for lane in data.lanes],
        "epochs": [_epoch(row) for row in data.epochs],
        "throughput": [[_short(x), _short(y)] for x, y in data.throughput],
        "logged": [[name, [[_short(x), _short(y)] for x, y in points]] for name, points in data.logged.items()],
        "memory": _memory(data),
        "resources": drawn_resources(data.resources),
        "dots": [[_short(x), _short(y)] for x, y in data.dots] if data.kept_in_all > len(data.kept) else [],
        "batches": [_batch(row) for row in data.kept],
        "ranks": _ranks(data),
        "windows": {str(index): drawn_line(row.line) for index, row in enumerate(data.windows) if row.line is not None},
    }


def _epoch(row: EpochRow) -> dict[str, Any]:
    parts = dict(parts_of(row.budget))
    return {
        "epoch": row.epoch,
        "start": _short(row.start),
        "wall": _short(row.budget.wall),
        "parts": [_short(parts.get(name, 0.0)) for name in PARTS],
        "throughput": _short(row.throughput),
        "p50": _short(row.p50),
        "p95": _short(row.p95),
    }


def _memory(data: ReportData) -> list[list[Any]]:
    found: list[list[Any]] = []
    for name, values in (
        ("Resident memory of the training process", [(row, row.memory) for row in data.epochs]),
        ("Peak allocated on the device", [(row, row.device_memory) for row in data.epochs]),
    ):
        points = [[_short(row.start + row.budget.wall), value / 2**20] for row, value in values if value]
        if points:
            found.append([name, points])
    return found


def drawn_resources(found: Resources) -> dict[str, Any]:
    """Return what the script reads of the machine: one list of times, and values for each of them."""
    return {
        "times": [_short(time) for time in found.times],
        "plots": [
            {
                "group": plot.group,
                "title": plot.title,
                "unit": plot.unit,
                "lines": [[line.name, int(line.kind), _values(line)] for line in plot.lines],
            }
            for plot in found.plots
        ],
    }


def drawn_line(line: WindowLine) -> dict[str, Any]:
    """Return what the script reads of a window's time line: names once, and bars that point to them."""
    names = {
        name: index for index, name in enumerate(dict.fromkeys(bar.name for lane in line.lanes for bar in lane.bars))
    }
    return {
        "seconds": _short(line.seconds),
        "names": list(names),
        "lanes": [
            {
                "name": lane.name,
                "meaning": lane.meaning,
                "rows": lane.rows,
                "busy": _short(lane.busy),
                "bars": [[names[bar.name], _short(bar.start), _short(bar.seconds), bar.row] for bar in lane.bars],
            }
            for lane in line.lanes
        ],
        "gaps": [[_short(gap.start), _short(gap.seconds), gap.host] for gap in line.gaps],
    }


def _values(line: Line) -> list[float | None]:
    # What never changes is sent once, and four digits are finer than a pixel of a small plot.
    values = [None if value is None else float(f"{value:.4g}") for value in line.values]
    values = values[:1] if len(set(values)) == 1 else values
    return [int(value) if value is not None and value.is_integer() else value for value in values]


def _batch(row: BatchRow) -> dict[str, Any]:
    return {
        "stage": row.stage,
        "kept": row.kept,
        "epoch": row.epoch,
        "batch": row.batch_idx,
        "rank": row.rank,
        "start": _short(row.start),
        "seconds": _short(row.seconds),
        "samples": row.samples,
        "ratio": _short(row.ratio),
        "exception": row.exception,
        "phases": {name: _short(seconds) for name, seconds in row.phases.items()},
        "device": {name: _short(seconds) for name, seconds in row.device.items()},
        "trace": row.trace_id,
        "differences": [[fact.name, fact.value, fact.meaning] for fact in row.differences],
        "records": [
            [each.level, each.logger, each.text, each.times, f"rank {each.rank}" if each.rank else ""]
            for each in row.records
        ],
        "remarks": row.remarks,
        "bars": [_bar(bar) for bar in row.waterfall],
    }


def _bar(bar: Bar) -> list[Any]:
    found: list[Any] = [bar.name, bar.kind, _short(bar.start), _short(bar.seconds), bar.depth, int(bar.failed)]
    # Whole microseconds: there are many of them, and they are drawn over the width of a screen.
    parts = [[PARTS.index(kind), round(start * 1e6), round(seconds * 1e6)] for kind, start, seconds in bar.parts]
    return [*found, parts] if parts else found


def _ranks(data: ReportData) -> dict[str, Any] | None:
    """Return delays of ranks (rows) at kept steps (columns) as whole numbers of a unit; null where there is none."""
    heat = data.straggling.heat
    if heat is None or heat.scale <= 0:
        return None
    opened = {row.trace_id: index for index, row in enumerate(data.kept)}
    unit = heat.scale / SHADES
    return {
        "rows": heat.ranks,
        "late": data.straggling.rank,
        "steps": [[step.epoch, step.batch_idx, opened.get(step.trace_id, -1)] for step in heat.steps],
        "unit": _short(unit),
        "full": SHADES,
        "cells": [
            [round(step.delays[rank] / unit) if rank in step.delays else None for step in heat.steps]
            for rank in heat.ranks
        ],
    }


def _short(value: float) -> float:
    # Nine digits are a microsecond in a quarter of an hour, and half of the page's size.
    return float(f"{value:.9g}")
