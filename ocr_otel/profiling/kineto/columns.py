"""The events of a trace as columns: a few dozen bytes for an event, however long the trace."""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from ocr_otel.profiling.kineto import flops, naming
from ocr_otel.profiling.kineto.events import Arguments, Event, Identifier

Integers = NDArray[np.int64]


class Category(IntEnum):
    """What an event is; of the categories that Kineto writes, those that are read."""

    OPERATOR = 0
    ANNOTATION = 1
    """A range of `record_function`, of the profiler itself (`ProfilerStep#3`) or of PyTorch (`Optimizer.step#...`)."""
    RUNTIME = 2
    """A call of the device's runtime or driver on the host."""
    PYTHON = 3
    KERNEL = 4
    COPY = 5
    FILL = 6


CATEGORIES: Final = {
    "cpu_op": Category.OPERATOR,
    "user_annotation": Category.ANNOTATION,
    "cuda_runtime": Category.RUNTIME,
    "cuda_driver": Category.RUNTIME,
    "xpu_runtime": Category.RUNTIME,
    "xpu_driver": Category.RUNTIME,
    "mtia_runtime": Category.RUNTIME,
    "privateuse1_runtime": Category.RUNTIME,
    "privateuse1_driver": Category.RUNTIME,
    "python_function": Category.PYTHON,
    "kernel": Category.KERNEL,
    "mtia_ccp_events": Category.KERNEL,
    "gpu_memcpy": Category.COPY,
    "gpu_memset": Category.FILL,
    # Names of PyTorch before 1.12.
    "operator": Category.OPERATOR,
    "runtime": Category.RUNTIME,
    "memcpy": Category.COPY,
    "memset": Category.FILL,
}
DEVICE: Final = (Category.KERNEL, Category.COPY, Category.FILL)

_DTYPE_BYTES: Final = {
    "float": 4, "int": 4, "half": 2, "bfloat16": 2, "double": 8, "long": 8, "short": 2,
    "byte": 1, "char": 1, "bool": 1, "float32": 4, "float16": 2, "float64": 8, "int64": 8, "int32": 4,
}  # fmt: skip

_MAX_COUNT: Final = 2**53
_CPU: Final = 0
"""`c10::DeviceType` of the host."""
_ADDRESS: Final = " at 0x"
"""Built-in methods are named with the address of their object; without it there are as many names as methods."""


Key = TypeVar("Key", bound=Hashable)


class Numbers(dict[Key, int]):
    """Numbers things in the order in which they are first asked for."""

    def __missing__(self, key: Key) -> int:
        """Give the next number to what has none."""
        number = self[key] = len(self)
        return number


@dataclass(frozen=True, slots=True)
class Columns:
    """Events with a duration, in the order of the file; times are nanoseconds.

    Attributes:
        start: When each began.
        duration: How long it took.
        name: Number of its name.
        category: Its `Category`.
        thread: Number of its thread, or of its stream.
        correlation: What ties a call of the runtime to what the device did for it; 0 for none.
        external: What ties both to an operator; 0 for none.
    """

    start: Integers
    duration: Integers
    name: NDArray[np.int32]
    category: NDArray[np.int8]
    thread: NDArray[np.int32]
    correlation: NDArray[np.int32]
    external: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.start)


@dataclass(frozen=True, slots=True)
class Sparse:
    """What only some events have: their places in the columns, in order, and the values."""

    places: Integers
    values: Integers

    def of(self, places: Integers) -> Integers:
        """Return the values of events; -1 where an event has none."""
        if not len(self.places):
            return np.full(len(places), -1, np.int64)
        found = np.minimum(np.searchsorted(self.places, places), len(self.places) - 1)
        return np.where(self.places[found] == places, self.values[found], -1)


@dataclass(frozen=True, slots=True)
class Allocations:
    """Memory that an allocator gave (positive bytes) or took back.

    Attributes:
        at: When, nanoseconds.
        thread: Which thread asked.
        bytes: How much.
        on_device: Whether it was a device's allocator, not the host's.
    """

    at: Integers
    thread: NDArray[np.int32]
    bytes: Integers
    on_device: NDArray[np.bool_]


_DTYPES: Final = {
    "start": np.int64,
    "duration": np.int64,
    "name": np.int32,
    "category": np.int8,
    "thread": np.int32,
    "correlation": np.int32,
    "external": np.int32,
}


@dataclass(slots=True)
class Builder:
    """Puts decoded events into columns.

    Attributes:
        names: Numbers of names.
        threads: Numbers of threads, by process and thread.
        thread_names: Names of threads, by process and thread.
        texts: Numbers of input shapes and of lines of code.
        seen: Events with a duration, of any category.
    """

    names: Numbers[str] = field(default_factory=Numbers)
    threads: Numbers[tuple[Any, Any]] = field(default_factory=Numbers)
    thread_names: dict[tuple[Any, Any], str] = field(default_factory=dict)
    texts: Numbers[str] = field(default_factory=Numbers)
    seen: int = 0
    _parts: dict[str, list[NDArray[Any]]] = field(default_factory=lambda: {name: [] for name in _DTYPES})
    _sparse: dict[str, tuple[array[int], array[int]]] = field(
        default_factory=lambda: {name: (array("q"), array("q")) for name in ("bytes", "shapes", "calls", "flops")}
    )
    _memory: tuple[array[int], ...] = field(default_factory=lambda: tuple(array("q") for _ in range(4)))
    _counted: dict[tuple[str, bytes, bytes], int] = field(default_factory=dict)
    _length: int = 0

    def add(self, events: list[Event]) -> None:
        """Add events; those that are not read are left out."""
        kept: list[Event] = []
        categories: list[int] = []
        for event in events:
            if event.ph == "X":
                self.seen += 1
                category = CATEGORIES.get(event.cat or "")
                if category is None:
                    category = CATEGORIES.get((event.cat or "").lower())
                if category is not None:
                    kept.append(event)
                    categories.append(category)
                    if event.args is not None:
                        self._add_rare(event.name, event.args, self._length + len(kept) - 1)
            elif event.ph == "i" and event.name == "[memory]" and event.args is not None:
                self._memory[0].append(round(event.ts * 1000))
                self._memory[1].append(self.threads[event.pid, event.tid])
                self._memory[2].append(_integer(event.args.allocated))
                self._memory[3].append(_integer(event.args.device_type))
            elif event.ph == "M" and event.name == "thread_name" and event.args is not None:
                self.thread_names[event.pid, event.tid] = str(event.args.name)
        self._length += len(kept)
        names, threads = self.names, self.threads
        self._append("start", np.rint(np.array([event.ts for event in kept], np.float64) * 1000))
        durations = np.array([event.dur for event in kept], np.float64)
        self._append("duration", np.rint(np.maximum(durations, 0.0) * 1000))
        self._append("name", [names[event.name.partition(_ADDRESS)[0]] for event in kept])
        self._append("category", categories)
        self._append("thread", [threads[event.pid, event.tid] for event in kept])
        self._append("correlation", [_identity(event.args.correlation) if event.args else 0 for event in kept])
        self._append("external", [_identity(event.args.external) if event.args else 0 for event in kept])

    def columns(self) -> Columns:
        """Return the columns and forget them."""
        joined: dict[str, NDArray[Any]] = {}
        for name, dtype in _DTYPES.items():
            # One column after the other, so that no more than one of them is there twice.
            parts = self._parts.pop(name)
            joined[name] = np.concatenate(parts) if parts else np.empty(0, dtype)
        return Columns(**joined)

    def sparse(self, name: str) -> Sparse:
        """Return what only some events have: `bytes`, `flops`, or numbers of texts: `shapes`, `calls`."""
        places, values = self._sparse[name]
        return Sparse(np.array(places, np.int64), np.array(values, np.int64))

    def allocations(self) -> Allocations:
        """Return the memory that was given and taken back."""
        at, thread, count, device = (np.array(each, np.int64) for each in self._memory)
        return Allocations(at, thread.astype(np.int32), count, device != _CPU)

    def _append(self, name: str, values: Any) -> None:
        self._parts[name].append(np.asarray(values).astype(_DTYPES[name]))

    def _add_rare(self, name: str, arguments: Arguments, place: int) -> None:
        if arguments.bytes:
            self._put("bytes", place, _integer(arguments.bytes))
        elif arguments.elements:
            size = _DTYPE_BYTES.get(str(arguments.dtype).lower(), 0)
            self._put("bytes", place, _integer(arguments.elements) * size)
        if len(shapes := bytes(arguments.shapes)) > 2:
            if naming.collective(name) and (count := _message(shapes, bytes(arguments.types))):
                self._put("bytes", place, count)
            if flops.counts(name) and (count := self._flops(name, shapes, bytes(arguments.inputs))):
                self._put("flops", place, count)
            self._put("shapes", place, self.texts[_on_one_line(shapes)])
        if arguments.call:
            self._put("calls", place, self.texts[str(arguments.call)])

    def _flops(self, name: str, shapes: bytes, inputs: bytes) -> int:
        """Return the operations of a call; those with equal inputs are counted once."""
        key = (name, shapes, inputs)
        if key not in self._counted:
            self._counted[key] = flops.flops(name, shapes, inputs)
        return self._counted[key]

    def _put(self, name: str, place: int, value: int) -> None:
        if value >= _MAX_COUNT:
            return
        places, values = self._sparse[name]
        places.append(place)
        values.append(value)


def _on_one_line(text: bytes) -> str:
    # Some tools indent what they have read and written again.
    return (msgspec.json.format(text, indent=0) if b"\n" in text else text).decode("utf-8", "replace")


def _message(shapes: bytes, types: bytes) -> int:
    """Return the bytes of the tensors that a collective on the host was given; 0 where they cannot be told."""
    try:
        dims, names = msgspec.json.decode(shapes, type=list[list[int]]), msgspec.json.decode(types, type=list[str])
    except msgspec.DecodeError:
        return 0
    return sum(math.prod(dim) * _DTYPE_BYTES.get(name, 0) for dim, name in zip(dims, names, strict=False))


def _integer(value: Identifier) -> int:
    """Return a count; 0 for what is none, and for what is more than any machine has."""
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return 0
    return number if abs(number) < _MAX_COUNT else 0


def _identity(value: Identifier) -> int:
    """Return an identifier in 32 bits, as Kineto's are; longer ones of other tools keep their lower bits."""
    number = value if isinstance(value, int) else _integer(value)
    return ((number + 2**31) & 0xFFFFFFFF) - 2**31
