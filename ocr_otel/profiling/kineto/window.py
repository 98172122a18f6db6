"""The events of a trace, put in order: what is in the window, on which thread, inside what, and what launched what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.columns import DEVICE, Category, Columns
from ocr_otel.profiling.kineto.events import MAX_SECONDS
from ocr_otel.profiling.kineto.intervals import Intervals, union
from ocr_otel.profiling.kineto.nesting import NONE, Integers, Nest, nest
from ocr_otel.profiling.kineto.reader import Trace

SECOND: Final = 1e9
"""Nanoseconds in a second. Times are divided by it: that gives the shortest number, and so the shortest JSON."""


@dataclass(frozen=True)
class Window:
    """One trace, ready for questions; times are nanoseconds.

    Attributes:
        trace: What was read.
        host: Operators, annotations and calls of the runtime.
        python: Python functions; empty where no stacks were recorded.
        device: Places of the events of the device that was busiest.
        device_number: Which that is; None without device events.
        main: Number of the thread that runs the training.
        batches: Places in `host` of the ranges that are a batch.
        begin: Beginning of the first batch, or the first event.
        end: End of the last batch, and of what it launched; or the last event.
    """

    trace: Trace
    host: Nest
    python: Nest
    device: Integers
    device_number: Any
    main: int
    batches: Integers
    begin: int
    end: int
    _named: dict[Any, NDArray[Any]] = field(default_factory=dict)

    @property
    def columns(self) -> Columns:
        """The events."""
        return self.trace.columns

    @property
    def seconds(self) -> float:
        """Length of the window."""
        return (self.end - self.begin) / SECOND

    def named(self, function: Any) -> NDArray[Any]:
        """Return what a function of a name says of each name, by its number."""
        found = self._named.get(function)
        if found is None:
            found = self._named[function] = np.array([function(name) for name in self.trace.names])
        return found

    def name(self, number: int) -> str:
        """Return a name by its number."""
        return self.trace.names[int(number)]

    @cached_property
    def host_names(self) -> NDArray[np.int32]:
        """Numbers of the names of the events in `host`."""
        return self.columns.name[self.host.places]

    @cached_property
    def host_threads(self) -> NDArray[np.int32]:
        """Threads of the events in `host`."""
        return self.columns.thread[self.host.places]

    @cached_property
    def operators(self) -> Integers:
        """The operators in `host`."""
        return np.flatnonzero(self.columns.category[self.host.places] == Category.OPERATOR)

    @cached_property
    def annotations(self) -> Integers:
        """The ranges in `host`."""
        return np.flatnonzero(self.columns.category[self.host.places] == Category.ANNOTATION)

    @cached_property
    def runtime(self) -> Integers:
        """The calls of the device's runtime in `host`."""
        return np.flatnonzero(self.columns.category[self.host.places] == Category.RUNTIME)

    @cached_property
    def operator_around(self) -> Integers:
        """For each event in `host` the innermost operator around it, itself included; `NONE` for none."""
        own = np.full(len(self.host), NONE, np.int64)
        own[self.operators] = self.operators
        return self.host.inherited(own)

    @cached_property
    def operating(self) -> Intervals:
        """When an operator ran on any thread."""
        return union(self.host.start[self.operators], self.host.end[self.operators]).clipped(self.begin, self.end)

    @cached_property
    def launch(self) -> Integers:
        """For each event of the device the call in `host` that started it; `NONE` where it was not recorded."""
        numbers = self.columns.correlation[self.host.places[self.runtime]]
        found = _looked_up(numbers, self.columns.correlation[self.device])
        return np.where(found == NONE, NONE, self.runtime[found]) if len(self.runtime) else found

    @cached_property
    def launcher(self) -> Integers:
        """For each event of the device the operator in `host` that started it; `NONE` for none."""
        launch = self.launch
        around = np.where(launch == NONE, NONE, self.operator_around[launch]) if len(self.host) else launch
        # Where the call was not recorded, the operator's own number is on what it started.
        numbers = self.columns.external[self.host.places[self.operators]]
        found = _looked_up(numbers, self.columns.external[self.device])
        if not len(self.operators):
            return around
        return np.where((around == NONE) & (launch == NONE) & (found != NONE), self.operators[found], around)

    @cached_property
    def launched_at(self) -> Integers:
        """When each event of the device was asked for; its own beginning where that was not recorded."""
        start = self.columns.start[self.device]
        return np.where(self.launch == NONE, start, self.host.start[self.launch]) if len(self.host) else start

    def on_device(self, *categories: Category) -> NDArray[np.bool_]:
        """Return which events of the device are of some categories."""
        return np.isin(self.columns.category[self.device], categories)

    def busy(self, which: NDArray[np.bool_] | None = None) -> Intervals:
        """Return when some events of the device ran; all by default."""
        places = self.device if which is None else self.device[which]
        start = self.columns.start[places]
        return union(start, start + np.maximum(self.columns.duration[places], 1)).clipped(self.begin, self.end)


def window(trace: Trace) -> Window:
    """Put the events of a trace in order."""
    columns = trace.columns
    sound = _sound(columns)
    on_host = (Category.OPERATOR, Category.ANNOTATION, Category.RUNTIME)
    host = nest_of(columns, np.flatnonzero(sound & np.isin(columns.category, on_host)))
    python = nest_of(columns, np.flatnonzero(sound & (columns.category == Category.PYTHON)))
    device, number = _busiest(trace, np.flatnonzero(sound & np.isin(columns.category, DEVICE)))
    whole = Window(trace, host, python, device, number, 0, np.empty(0, np.int64), 0, 0)
    batches = _batches(whole)
    main = _main(whole, batches)
    timed = np.flatnonzero(sound & (columns.category != Category.PYTHON))
    timed = timed if len(timed) else np.flatnonzero(sound)
    begin = int(columns.start[timed].min())
    end = int((columns.start[timed] + columns.duration[timed]).max())
    if len(batches):
        # What surrounds the batches is the profiler itself, starting and stopping, and what is cut off.
        begin, last = int(host.start[batches].min()), int(host.end[batches].max())
        inside = (host.end > begin) & (host.start < last)
        start = columns.start[device]
        device = device[start >= begin]
        tail = columns.start[device] + columns.duration[device]
        end = max(last, int(tail.max()) if len(tail) else last)
        host = nest_of(columns, host.places[inside], begin, last)
        python = nest_of(columns, python.places[(python.end > begin) & (python.start < last)], begin, last)
        batches = np.flatnonzero(np.isin(host.places, whole.host.places[batches]))
    return replace(
        whole, host=host, python=python, device=device, main=main, batches=batches, begin=begin, end=end, _named={}
    )


def _sound(columns: Columns) -> NDArray[np.bool_]:
    """Return which events are not so far from the others that their time must be damaged."""
    middle = int(np.median(columns.start))
    sound: NDArray[np.bool_] = np.abs(columns.start - middle) < MAX_SECONDS * SECOND / 2
    return sound


def nest_of(columns: Columns, places: Integers, begin: int | None = None, end: int | None = None) -> Nest:
    """Find out which of some events lies inside which; what is before `begin` and after `end` is cut off."""
    starts = columns.start[places]
    ends = np.clip(starts + columns.duration[places], begin, end)
    starts = np.clip(starts, begin, end)
    return nest(places, starts, ends - starts, columns.thread[places])


def _busiest(trace: Trace, places: Integers) -> tuple[Integers, Any]:
    if not len(places):
        return places, None
    devices = [thread.process for thread in trace.threads]
    numbers = {device: number for number, device in enumerate(dict.fromkeys(devices))}
    of_thread = np.array([numbers[device] for device in devices])
    of_event = of_thread[trace.columns.thread[places]]
    busy = np.bincount(of_event, weights=trace.columns.duration[places].astype(np.float64) + 1)
    chosen = int(busy.argmax())
    return places[of_event == chosen], list(numbers)[chosen]


def _batches(window: Window) -> Integers:
    ranges = window.annotations
    names = np.array([naming.without_numbers(name) for name in window.trace.names])
    of_range = names[window.host_names[ranges]] if len(ranges) else np.empty(0, str)
    for name in naming.BATCHES:
        found = ranges[of_range == name]
        if len(found):
            return _whole(window, found)
    return np.empty(0, np.int64)


def _whole(window: Window, batches: Integers) -> Integers:
    """Leave out a last batch that holds nearly nothing: the profiler's own end is a step too."""
    if len(batches) < 2:
        return batches
    started = np.sort(window.host.start[window.operators])
    held = np.searchsorted(started, window.host.end[batches]) - np.searchsorted(started, window.host.start[batches])
    return batches[:-1] if held[-1] < 0.1 * np.median(held[:-1]) else batches


def _main(window: Window, batches: Integers) -> int:
    if len(batches):
        return int(window.host_threads[batches[0]])
    chosen = window.annotations if len(window.annotations) else window.operators
    if not len(chosen):
        return 0
    length = (window.host.end - window.host.start)[chosen].astype(np.float64)
    return int(np.bincount(window.host_threads[chosen], weights=length).argmax())


def _looked_up(numbers: NDArray[np.int32], wanted: NDArray[np.int32]) -> Integers:
    """Return where each number that is wanted stands among some; `NONE` for 0 and for those that are not there."""
    if not len(numbers):
        return np.full(len(wanted), NONE, np.int64)
    order = np.argsort(numbers, kind="stable")
    index = np.minimum(np.searchsorted(numbers[order], wanted), len(numbers) - 1)
    found = order[index]
    return np.where((numbers[found] == wanted) & (wanted != 0), found, NONE)
