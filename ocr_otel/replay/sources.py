"""Where lines come from: files that a run has written and keeps, and spools that are emptied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ocr_otel.replay.lines import Damage, Line, Position, Signal, TelemetryFile, parse, read
from ocr_otel.replay.state import ReplayState
from ocr_otel.spool import Position as SpoolPosition
from ocr_otel.spool import Store


class Source(Protocol):
    """Lines of one signal.

    Attributes:
        name: What it is called in the run directory.
        signal: What is in it.
    """

    @property
    def name(self) -> str: ...
    @property
    def signal(self) -> Signal: ...

    def size(self) -> int:
        """Return how many bytes it has."""

    def done(self) -> int:
        """Return how many of them are delivered."""

    def lines(self) -> Iterator[Line | Damage]:
        """Read the lines that are not delivered."""

    def advance(self, position: Position) -> None:
        """Note that everything before a position is delivered."""


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file of the run, which stays as it is: the state says how far it is delivered."""

    file: TelemetryFile
    state: ReplayState

    @property
    def name(self) -> str:
        """Its path in the run directory."""
        return self.file.name

    @property
    def signal(self) -> Signal:
        """What is in it."""
        return self.file.signal

    def size(self) -> int:
        """Return how many bytes it has."""
        return self.file.path.stat().st_size

    def done(self) -> int:
        """Return how many of them are delivered."""
        return self.state.position(self.file).offset

    def lines(self) -> Iterator[Line | Damage]:
        """Read the lines that are not delivered."""
        return read(self.file, self.state.position(self.file))

    def advance(self, position: Position) -> None:
        """Note that everything before a position is delivered."""
        if position.offset > self.state.position(self.file).offset:
            self.state.advance(self.file, position)


class SpoolSource:
    """What an endpoint has not acknowledged of a signal. What is delivered is removed.

    Args:
        store: The spool.
        signal: Which signal of it.
        name: What it is called in the run directory.
    """

    def __init__(self, store: Store, signal: Signal, name: str) -> None:
        self.name = name
        self.signal: Signal = signal
        self._store = store
        self._size = store.waiting().get(signal, 0)
        self._places: dict[int, SpoolPosition] = {}

    def size(self) -> int:
        """Return how many bytes waited at the beginning."""
        return self._size

    def done(self) -> int:
        """Return how many of them are delivered."""
        return self._size - self._store.waiting().get(self.signal, 0)

    def lines(self) -> Iterator[Line | Damage]:
        """Read the lines that are not delivered. Their numbers count what waited."""
        offset = 0
        for number, line in enumerate(self._store.lines(self.signal), 1):
            self._places[number] = line.after
            offset += len(line.content) + 1
            after = Position(offset, number)
            try:
                resources, items = parse(line.content, self.signal)
            except (ValueError, RecursionError) as error:
                yield Damage(self.name, number, str(error), after)
            else:
                yield Line(resources, items, len(line.content) + 1, after)

    def advance(self, position: Position) -> None:
        """Remove everything before a position."""
        place = self._places.get(position.line)
        if place is not None:
            self._store.acknowledge(self.signal, place)
            self._places = {number: each for number, each in self._places.items() if number > position.line}
