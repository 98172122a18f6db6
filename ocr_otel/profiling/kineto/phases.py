"""The parts of a batch: as we mark them, as Lightning does, or as they can be told from PyTorch's own marks."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from ocr_otel import semconv
from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.window import Window, nest_of


def phases(window: Window) -> dict[str, Intervals]:
    """Return when each part of a batch went on, as far as it can be told; a part inside another is not in that one.

    Where nobody marked them, backward is when autograd's engine ran, and forward what lies before it in a batch and is
    nothing else.
    """
    marked = _marked(window)
    backward = marked.get(semconv.BACKWARD) or _engine(window, list(marked.values()))
    if len(backward):
        for name in marked:
            marked[name] = marked[name] if name == semconv.BACKWARD else marked[name].without(backward)
        marked[semconv.BACKWARD] = backward
        if semconv.FORWARD not in marked and len(window.batches):
            marked[semconv.FORWARD] = _forward(window, marked)
    return {name: marked[name] for name in naming.PHASES if name in marked and len(marked[name])}


def _marked(window: Window) -> dict[str, Intervals]:
    """Return the parts that are marked; where a part has marks of ours, those of others do not count."""
    names = window.host_names[window.annotations]
    own: dict[str, list[int]] = defaultdict(list)
    others: dict[str, list[int]] = defaultdict(list)
    for number in np.unique(names).tolist():
        name = window.name(number)
        part = name.partition(":")[0]
        if part in naming.PHASES:
            own[part].append(number)
        elif part := naming.phase(name):
            others[part].append(number)
    numbers = {**others, **own}
    part_of_name = np.full(len(window.trace.names), NONE, np.int64)
    for index, part in enumerate(numbers):
        part_of_name[numbers[part]] = index
    marks = window.annotations[(part_of_name[names] != NONE) & (window.host_threads[window.annotations] == window.main)]
    return _innermost(window, marks, part_of_name, list(numbers))


def _innermost(window: Window, marks: Integers, part_of_name: Integers, parts: list[str]) -> dict[str, Intervals]:
    """Return when each part was the innermost one."""
    if not len(marks):
        return {}
    nested = nest_of(window.columns, window.host.places[marks], window.begin, window.end)
    edges = np.unique(np.concatenate((nested.start, nested.end)))
    at = nested.innermost(np.full(len(edges) - 1, window.main, np.int32), edges[:-1])
    part = np.where(at == NONE, NONE, part_of_name[window.columns.name[nested.places[at]]])
    found = {}
    for index, name in enumerate(parts):
        mine = part == index
        found[name] = union(edges[:-1][mine], edges[1:][mine]).clipped(window.begin, window.end)
    return found


def _engine(window: Window, marked: list[Intervals]) -> Intervals:
    """Return when autograd's engine ran: from node to node, unless something else went on between them."""
    index = window.operators
    nodes = index[window.named(_is_node)[window.host_names[index]]]
    running = union(window.host.start[nodes], window.host.end[nodes]).clipped(window.begin, window.end)
    if len(running) < 2:
        return running
    inside = np.full(len(window.host), NONE, np.int64)
    inside[nodes] = nodes
    others = index[window.host.inherited(inside)[index] == NONE]
    starts = [window.host.start[others], *(each.starts for each in marked)]
    ends = [window.host.end[others], *(each.ends for each in marked)]
    busy = union(np.concatenate(starts), np.concatenate(ends))
    parted = np.flatnonzero(busy.within(running.ends[:-1], running.starts[1:]) > 0)
    first, last = np.concatenate(([0], parted + 1)), np.concatenate((parted, [len(running) - 1]))
    return Intervals(running.starts[first], running.ends[last])


def _is_node(name: str) -> bool:
    return name.startswith(naming.ENGINE)


def _forward(window: Window, marked: dict[str, Intervals]) -> Intervals:
    """Return what lies between each batch's beginning and its backward pass, and is nothing else."""
    backward = marked[semconv.BACKWARD]
    starts, ends = window.host.start[window.batches], window.host.end[window.batches]
    index = np.minimum(np.searchsorted(backward.starts, starts), len(backward) - 1)
    first = backward.starts[index]
    inside = (first >= starts) & (first < ends)
    before = union(starts[inside], first[inside])
    optimizer = marked.get(semconv.OPTIMIZER_STEP)
    if optimizer is not None and optimizer.shared(before):
        # An optimiser's step before backward is one that was given forward and backward as its closure.
        marked[semconv.OPTIMIZER_STEP] = optimizer.without(before)
    for name, times in marked.items():
        before = before if name == semconv.OPTIMIZER_STEP else before.without(times)
    return before
