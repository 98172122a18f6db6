"""What the machine did over the run, out of the exported metrics: counters become rates, long courses are thinned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ocr_otel import semconv
from ocr_otel.report import described
from ocr_otel.report.line_names import in_order, named
from ocr_otel.report.panels import PANELS, UNDRAWN, Curve, Panel
from ocr_otel.report.quantities import per_second
from ocr_otel.report.readings import Column, Kind, Line, Plot, Resources
from ocr_otel.runs import Entry, Run

MAX_MOMENTS: Final = 240
"""Moments that are drawn: about one for each four pixels of a wide screen."""
MAX_LINES: Final = 8
"""Lines of one plot; more cannot be told apart."""
SAME_MOMENT_NS: Final = 100_000_000
"""Points that are no further apart than this come from one export."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Series:
    """One series: its attributes, and a value for each moment, NaN where there is none."""

    attributes: dict[str, Any]
    values: Floats


def resources(run: Run, began: int, entry: Entry | None) -> Resources:
    """Return what was read on the first rank.

    Args:
        run: The run.
        began: When it began, Unix nanoseconds.
        entry: The entry that the report is about.
    """
    moments, found = _series(run, began)
    plots = [plot for panel in _panels(found) if (plot := _plot(panel, found, moments)) is not None]
    groups = _groups(len(moments))
    ended = entry.root if entry else None
    return Resources(
        times=[float(each) for each in _grouped(moments, groups, peak=False)],
        interval=float(np.median(np.diff(moments))) if len(moments) > 1 else 0.0,
        plots=[_thinned(plot, groups) for plot in plots if plot.lines],
        sentences=_sentences(run, found, plots),
        out_of_memory=described.facts((ended and ended.event(semconv.OUT_OF_MEMORY)) or {}, semconv.OOM_PREFIX),
        growth=described.growth(ended.attributes) if ended else "",
        columns=_columns(entry),
    )


def _series(run: Run, began: int) -> tuple[Floats, dict[str, list[_Series]]]:
    wanted = [
        point
        for point in run.points
        if point.name in semconv.RESOURCE_METRICS
        and semconv.RESOURCE_METRICS[point.name].kind != "histogram"
        and not point.rank
        and point.time >= began
        and math.isfinite(point.value)
    ]
    wanted.sort(key=lambda point: point.time)
    times: list[int] = []
    courses: dict[tuple[str, str], tuple[dict[str, Any], dict[int, float]]] = {}
    for point in wanted:
        if not times or point.time - times[-1] > SAME_MOMENT_NS:
            times.append(point.time)
        course = courses.setdefault((point.name, str(point.attributes)), (point.attributes, {}))
        course[1][len(times) - 1] = point.value
    found: dict[str, list[_Series]] = {}
    for (metric, _), (attributes, course_values) in courses.items():
        values = np.full(len(times), np.nan)
        values[list(course_values)] = list(course_values.values())
        found.setdefault(metric, []).append(_Series(attributes, values))
    return (np.array(times, dtype=np.float64) - began) / 1e9, found


def _panels(found: Mapping[str, list[_Series]]) -> list[Panel]:
    # What the vocabulary has and no plot is made for is shown all the same.
    listed = {curve.metric for panel in PANELS for curve in panel.curves}
    others = [
        Panel("Other", semconv.RESOURCE_METRICS[metric].meaning.removesuffix("."), (Curve(metric),))
        for metric in found
        if metric not in listed and metric not in UNDRAWN
    ]
    return [*PANELS, *others]


def _plot(panel: Panel, found: Mapping[str, list[_Series]], moments: Floats) -> Plot | None:
    lines = [line for curve in panel.curves for line in _lines(curve, found.get(curve.metric, []), moments)]
    read = [line for line in lines if line.kind is not Kind.LIMIT]
    if not read:
        return None
    if panel.quiet:
        lines = [line for line in lines if line.high or line.low]
        # A limit alone has nothing to be the limit of.
        lines = lines if any(line.high or line.low for line in read) else []
    shown = sorted(sorted(lines, key=lambda line: -line.high)[:MAX_LINES], key=lines.index)
    first = semconv.RESOURCE_METRICS[read[0].metric]
    rate = first.kind == "counter" and not panel.curves[0].so_far
    unit = panel.unit or (per_second(first.unit) if rate else first.unit)
    return Plot(panel.group, panel.title, unit, shown, len(lines) - len(shown), panel.brief)


def _lines(curve: Curve, found: list[_Series], moments: Floats) -> list[Line]:
    series = [each for each in found if curve.takes(each.attributes)]
    if semconv.RESOURCE_METRICS[curve.metric].kind == "counter" and not curve.so_far:
        series = [_Series(each.attributes, _rate(each.values, moments)) for each in series]
    series = _added(series, curve.over)
    names = named([each.attributes for each in series], curve.name)
    pairs = sorted(zip(names, series, strict=True), key=lambda pair: in_order(pair[0]))
    lines = [line for name, each in pairs if (line := _line(name, curve, each.values)) is not None]
    # Devices of one kind have one limit: one line.
    if curve.kind is Kind.LIMIT and len(lines) > 1 and len({(line.low, line.high) for line in lines}) == 1:
        lines = [replace(lines[0], name=curve.name)]
    return lines


def _rate(values: Floats, moments: Floats) -> Floats:
    """Return a counter's growth a second since its last point; nothing where it began anew."""
    rates = np.full(len(values), np.nan)
    there = np.flatnonzero(np.isfinite(values))
    if len(there) > 1:
        growth = np.diff(values[there]) / np.diff(moments[there])
        rates[there[1:]] = np.where(growth >= 0, growth, np.nan)
    return rates


def _added(series: list[_Series], over: tuple[str, ...]) -> list[_Series]:
    if not over:
        return series
    added: dict[str, _Series] = {}
    for each in series:
        rest = {key: value for key, value in each.attributes.items() if key not in over}
        so_far = added.get(str(rest))
        # Where one of them is missing, the others still add up: a worker has ended.
        both = each.values if so_far is None else np.nansum([so_far.values, each.values], axis=0)
        missing = np.isnan(each.values) & (True if so_far is None else np.isnan(so_far.values))
        added[str(rest)] = _Series(rest, np.where(missing, np.nan, both))
    return list(added.values())


def _line(name: str, curve: Curve, values: Floats) -> Line | None:
    there = values[np.isfinite(values)]
    if not len(there):
        return None
    return Line(
        name=name,
        metric=curve.metric,
        kind=curve.kind,
        mean=float(there.mean()),
        low=float(there.min()),
        high=float(there.max()),
        last=float(there[-1]),
        values=[float(value) if math.isfinite(value) else None for value in values],
    )


def _groups(number: int) -> list[slice]:
    edges = np.linspace(0, number, min(number, MAX_MOMENTS) + 1, dtype=int).tolist()
    return [slice(first, last) for first, last in pairwise(edges)]


def _grouped(values: Floats, groups: list[slice], peak: bool) -> list[float]:
    # A mean would hide what a maximum is read for.
    found = []
    for group in groups:
        there = values[group][np.isfinite(values[group])]
        found.append(float(there.max() if peak else there.mean()) if len(there) else math.nan)
    return found


def _thinned(plot: Plot, groups: list[slice]) -> Plot:
    lines = []
    for line in plot.lines:
        values = np.array([math.nan if value is None else value for value in line.values])
        thinned = _grouped(values, groups, peak=line.kind is Kind.PEAK)
        lines.append(replace(line, values=[value if math.isfinite(value) else None for value in thinned]))
    return replace(plot, lines=lines)


def _sentences(run: Run, found: Mapping[str, list[_Series]], plots: list[Plot]) -> list[str]:
    if not found:
        return []
    sentences = []
    if not any(metric.startswith(("hw.", "training.gpu.")) for metric in found):
        sentences.append("No GPU was read: the run had none, or its driver was not there.")
    empty = {plot.title for plot in plots if not plot.lines}
    sentences += [panel.quiet for panel in PANELS if panel.title in empty]
    places = {
        f"{each.attributes.get('system.filesystem.type', '?')} ({each.attributes.get('kind', '?')})": None
        for each in found.get(semconv.PATH_COUNT, [])
    }
    if places:
        sentences.append(f"The run's files lie on {', '.join(places)}.")
    if run.ranks > 1:
        sentences.append(f"Readings of rank 0; the other {run.ranks - 1} have files of their own.")
    return sentences


def _columns(entry: Entry | None) -> dict[str, Column]:
    read = [of_epoch(epoch.span.attributes) for epoch in (entry.epochs if entry else [])]
    # What was zero in every epoch would only push the rest out of sight.
    names = {name for numbers in read for name, value in numbers.items() if value}
    place = {name: index for index, name in enumerate(semconv.ATTRIBUTES)}
    in_order = sorted(names, key=lambda name: (place.get(name, len(place)), name))
    return {name: described.column(name, semconv.RESOURCE_PREFIX) for name in in_order}


def of_epoch(attributes: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of an epoch's summary of resources by attribute."""
    return {
        name: float(value)
        for name, value in attributes.items()
        if name.startswith(semconv.RESOURCE_PREFIX)
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    }
