"""What the training's threads did on the host."""

from __future__ import annotations

import numpy as np

from ocr_otel import semconv
from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.waits import waiting
from ocr_otel.profiling.kineto.window import SECOND, Window
from ocr_otel.profiling.profile import Host


def host(window: Window, parts: dict[str, Intervals]) -> Host:
    """Return what the host did."""
    nest, index = window.host, window.operators
    length = (nest.end - nest.start).astype(np.float64)
    outermost, leaves = _outermost(window), _leaves(window)
    own = nest.own_time()[index] / SECOND
    computes = window.named(_computing)[window.host_names[index]] if len(index) else np.empty(0)
    launches = window.runtime[window.named(_launches)[window.host_names[window.runtime]]]
    waits = waiting(window)
    optimizer = parts.get(semconv.OPTIMIZER_STEP)
    return Host(
        operators=window.operating.total / SECOND,
        operator_calls=len(outermost),
        leaf_calls=len(leaves),
        leaf_mean=float(length[leaves].mean()) / SECOND if len(leaves) else 0.0,
        launches=len(launches),
        launching=float(length[launches].sum()) / SECOND,
        waiting=union(nest.start[waits], nest.end[waits]).total / SECOND,
        compute_bound=float(own[computes == 1].sum()),
        memory_bound=float(own[computes == 0].sum()),
        optimizer_calls=int(optimizer.contains(nest.start[outermost]).sum()) if optimizer is not None else 0,
    )


def _outermost(window: Window) -> Integers:
    """Return the operators that no other operator called; autograd's nodes are no callers."""
    index = window.operators
    if not len(index):
        return index
    real = index[~window.named(naming.wraps)[window.host_names[index]]]
    own = np.full(len(window.host), NONE, np.int64)
    own[real] = real
    outermost: Integers = real[window.host.around(own)[real] == NONE]
    return outermost


def _leaves(window: Window) -> Integers:
    """Return the operators that called no other."""
    index = window.operators
    if not len(index):
        return index
    own = np.full(len(window.host), NONE, np.int64)
    own[index] = index
    callers = window.host.around(own)[index]
    return np.setdiff1d(index, callers[callers != NONE], assume_unique=False)


def _computing(name: str) -> int:
    """Return 1 for operators that compute, 0 for those that only move memory, -1 for what does neither."""
    computes = naming.operator_computes(name)
    return -1 if computes is None else int(computes)


def _launches(name: str) -> bool:
    return bool(naming.LAUNCH.search(name))
