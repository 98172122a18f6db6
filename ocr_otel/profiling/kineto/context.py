"""What goes on around an event, in words: the operator that asked for it, and the part of the batch."""

from __future__ import annotations

from typing import Final

import numpy as np

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import NONE, Integers
from ocr_otel.profiling.kineto.window import Window

_INNER: Final = {"aten::_local_scalar_dense": "aten::item", "aten::copy_": "aten::to", "aten::_to_copy": "aten::to"}
"""Operators that are better known by the one that called them."""


class Context:
    """Says what goes on at a time.

    Args:
        window: The window.
        parts: When each part of a batch goes on.
    """

    def __init__(self, window: Window, parts: dict[str, Intervals]) -> None:
        self._window = window
        self._parts = parts

    def of(self, events: Integers) -> list[str]:
        """Return what some events in `host` were in, such as `aten::item in forward`."""
        window = self._window
        operators = window.operator_around[events]
        words = []
        for at, operator in zip(window.host.start[events].tolist(), operators.tolist(), strict=True):
            name = "" if operator == NONE else self._caller(operator)
            part = self.part(at, at + 1)
            words.append(f"{name} in {part}" if name and part else name or part)
        return words

    def part(self, start: int, end: int) -> str:
        """Return the part of the batch that took most of a time; empty where none was known."""
        low, high = np.array([start]), np.array([end])
        spent = {name: int(times.within(low, high)[0]) for name, times in self._parts.items()}
        best = max(spent, key=spent.__getitem__, default="")
        return best if best and spent[best] > 0 else ""

    def _caller(self, operator: int) -> str:
        """Return the name of an operator, or of the better known one that called it."""
        window = self._window
        name = window.name(window.host_names[operator])
        wanted = _INNER.get(name)
        around = int(window.host.parent[operator])
        while wanted is not None and around != NONE:
            outer = window.name(window.host_names[around])
            if outer == wanted:
                return outer
            around = int(window.host.parent[around])
        return name


class Activity:
    """Says what the host did for most of a time.

    Args:
        window: The window.
        context: What goes on at a time.
    """

    def __init__(self, window: Window, context: Context) -> None:
        self._window = window
        self._context = context
        index = window.operators
        wraps = window.named(naming.wraps)[window.host_names[index]] if len(index) else np.empty(0, bool)
        self._operators = index[~wraps]
        self._longest = int((window.host.end - window.host.start)[self._operators].max(initial=0))
        order = np.argsort(window.host.start[self._operators], kind="stable")
        self._operators = self._operators[order]
        self._starts = window.host.start[self._operators]
        self._own = window.host.own_time()

    def during(self, start: int, end: int) -> str:
        """Return it in words, such as `fetch: waited, no operator ran` or `forward: aten::add`."""
        window = self._window
        low = np.searchsorted(self._starts, start - self._longest)
        high = np.searchsorted(self._starts, end)
        near = self._operators[low:high]
        near = near[window.host.end[near] > start]
        part = self._context.part(start, end) or "between the parts"
        running = union(window.host.start[near], window.host.end[near]).clipped(start, end)
        if running.total * 2 < end - start:
            return f"{part}: no operator ran"
        shared = np.minimum(window.host.end[near], end) - np.maximum(window.host.start[near], start)
        numbers, group = np.unique(window.host_names[near], return_inverse=True)
        spent = np.bincount(group, weights=np.minimum(shared, self._own[near]))
        return f"{part}: {window.name(numbers[int(spent.argmax())])}"
