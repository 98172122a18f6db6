"""The replay itself: files in, acknowledged requests out, and what became of every line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocr_otel.replay.endpoint import base_url
from ocr_otel.replay.lines import (
    ITEMS,
    MAX_BYTES,
    MAX_ITEMS,
    SIGNALS,
    Damage,
    Line,
    Position,
    Signal,
    gather,
    telemetry_files,
)
from ocr_otel.replay.sending import GivenUp, LineRefused, Patience, Sender, SignalNotTaken
from ocr_otel.replay.sources import FileSource, Source
from ocr_otel.replay.spools import Spools
from ocr_otel.replay.state import ReplayState


@dataclass(slots=True)
class Outcome:
    """What became of a replay.

    Attributes:
        endpoint: Where it went, without credentials.
        sent: Items acknowledged by this replay, by signal.
        rejected: Items among them that the receiver said it did not keep, by signal.
        requests: Requests acknowledged.
        resumed: Bytes that an earlier replay had delivered.
        damaged: Lines that could not be read.
        refused: Lines that the receiver refused: file and line, and its reason.
        not_taken: Signals that the receiver has no place for, with its answer.
        remarks: What the receiver remarked on requests that it took.
        stopped: Why the replay ended early; empty when it did not.
        left: Bytes not delivered, because the replay ended early or the signal was not taken.
        in_use: Spools that another process sends from, which were left to it.
        state_problem: Why the replay could not note how far it came.
    """

    endpoint: str
    sent: Counter[Signal] = field(default_factory=Counter)
    rejected: Counter[Signal] = field(default_factory=Counter)
    requests: int = 0
    resumed: int = 0
    damaged: list[Damage] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    not_taken: dict[Signal, str] = field(default_factory=dict)
    remarks: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    left: int = 0
    in_use: list[str] = field(default_factory=list)
    state_problem: str = ""

    @property
    def complete(self) -> bool:
        """Whether everything that could be read was taken."""
        return not (self.stopped or self.refused or self.not_taken or +self.rejected)


def replay(
    run: Path,
    endpoint: str,
    *,
    headers: Mapping[str, str] | None = None,
    signals: Sequence[Signal] = SIGNALS,
    timeout: float = 10.0,
    resume: bool = True,
    patience: Patience | None = None,
    max_items: int = MAX_ITEMS,
    max_bytes: int = MAX_BYTES,
    on_start: Callable[[int, int], None] = lambda done, total: None,
    on_progress: Callable[[int], None] = lambda size: None,
    on_wait: Callable[[str, float], None] = lambda reason, seconds: None,
    stopping: threading.Event | None = None,
) -> Outcome:
    """Send what a run directory holds to an OTLP/HTTP receiver.

    Files stay as they are: what is acknowledged is noted in the run directory and is not sent again. What waits in a
    spool, because the endpoint of the run did not take it, is removed when this one has. A request whose answer got
    lost, by the network or because this process was killed, is sent again, as OTLP prescribes: the receiver may then
    have that one request twice.

    Args:
        run: The run directory.
        endpoint: Base URL of the receiver, such as `http://localhost:4318`.
        headers: Sent with each request.
        signals: Which signals to send.
        timeout: Seconds that one try may take.
        resume: Whether to begin behind what an earlier replay to this endpoint delivered.
        patience: How long one request is tried.
        max_items: Spans, points or records of one request.
        max_bytes: Bytes of JSON of one request.
        on_start: Told the bytes that are delivered already, and all of them.
        on_progress: Told the bytes of each acknowledged request.
        on_wait: Told why and how long the replay waits before it tries again.
        stopping: Set from outside, it ends the replay behind the request under way.

    Raises:
        ReplayError: `run` is not a run directory, or `endpoint` no URL.
    """
    files = telemetry_files(run, signals)
    base = base_url(endpoint)
    stopping = stopping or threading.Event()
    with (
        Spools(run, signals) as spools,
        Sender(base, headers or {}, timeout, patience or Patience(), on_wait, stopping) as sender,
    ):
        state = ReplayState(run, sender.shown, resume)
        sources: list[Source] = [*(FileSource(file, state) for file in files), *spools.sources]
        session = _Replay(sender, state, Outcome(sender.shown), max_items, max_bytes, on_progress, stopping)
        session.outcome.in_use = spools.in_use
        session.outcome.resumed = sum(source.done() for source in sources)
        on_start(session.outcome.resumed, sum(source.size() for source in sources))
        return session.run(sources)


@dataclass(slots=True)
class _Replay:
    sender: Sender
    state: ReplayState
    outcome: Outcome
    max_items: int
    max_bytes: int
    on_progress: Callable[[int], None]
    stopping: threading.Event

    def run(self, sources: Sequence[Source]) -> Outcome:
        for source in sources:
            if source.signal in self.outcome.not_taken:
                continue
            try:
                self._send(source)
            except SignalNotTaken as error:
                self.outcome.not_taken[source.signal] = str(error)
            except GivenUp as error:
                self.outcome.stopped = str(error)
                break
            except OSError as error:
                self.outcome.stopped = f"{source.name} cannot be read: {error.strerror or error}"
                break
        if not self.outcome.complete:
            self.outcome.left = sum(source.size() - source.done() for source in sources)
        self.outcome.state_problem = self.state.unwritable
        return self.outcome

    def _send(self, source: Source) -> None:
        last: list[Position] = []
        for batch in gather(self._readable(source, last), self.max_items, self.max_bytes):
            self._deliver(source, batch)
        # Damaged lines at the end are behind the last request and would be reported again by the next replay.
        if last:
            source.advance(last[0])

    def _readable(self, source: Source, last: list[Position]) -> Iterator[Line]:
        for found in source.lines():
            last[:] = [found.after]
            if isinstance(found, Damage):
                self.outcome.damaged.append(found)
            else:
                yield found

    def _deliver(self, source: Source, batch: list[Line]) -> None:
        if self.stopping.is_set():
            raise GivenUp("interrupted")
        resources = [resource for line in batch for resource in line.resources]
        try:
            answer = self.sender.send(source.signal, resources)
        except LineRefused as error:
            if len(batch) > 1:
                # One bad or large line must not take its neighbours with it.
                half = len(batch) // 2
                self._deliver(source, batch[:half])
                self._deliver(source, batch[half:])
                return
            if not self.outcome.requests:
                raise GivenUp(
                    f"{self.outcome.endpoint} refused {_where(source, batch[0])}, the first that it was sent ({error})"
                ) from None
            self.outcome.refused.append((_where(source, batch[0]), str(error)))
        else:
            self.outcome.requests += 1
            self.outcome.sent[source.signal] += sum(line.items for line in batch)
            self.outcome.rejected[source.signal] += answer.rejected
            if answer.message:
                self.outcome.remarks[answer.message] += 1
        source.advance(batch[-1].after)
        self.on_progress(sum(line.size for line in batch))


def _where(source: Source, line: Line) -> str:
    return f"{source.name} line {line.after.line} ({line.items} {ITEMS[source.signal]})"
