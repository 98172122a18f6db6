"""Where a run comes from: a workflow engine's trace, told in the environment, and the attempt of its job before."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ocr_otel import semconv
from ocr_otel.ranks import Board, board_of_job
from ocr_otel.recording.origin import Origin
from ocr_otel.semconv import Outcome
from ocr_otel.telemetry import RunIdentity

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_FIRST_ATTEMPT: Final = 0


def outer_trace(identity: RunIdentity, environ: Mapping[str, str]) -> Origin:
    """Return what `TRACEPARENT` and `TRACESTATE` of the environment make of a run trace.

    Rank 0's is a child of the span that they name, so that it is seen in that trace. Those of the other ranks link to
    it: a trace of many ranks could not be opened any more. So does rank 0's where that span was not sampled, for a
    child of it would not be either; and where the application itself has a span open, that is the parent.

    Args:
        identity: Which rank this is.
        environ: The environment.
    """
    told = {name: environ[name.upper()] for name in ("traceparent", "tracestate") if environ.get(name.upper())}
    outer = trace.get_current_span(_TRACE_CONTEXT.extract(told, Context())).get_span_context()
    if not outer.is_valid:
        return Origin()
    current = trace.get_current_span().get_span_context()
    if identity.rank or current.is_valid or not outer.trace_flags.sampled:
        return Origin(links=(Link(outer),) if current.trace_id != outer.trace_id else ())
    return Origin(parent=trace.set_span_in_context(trace.NonRecordingSpan(outer), Context()))


def origin_of(identity: RunIdentity, entry: str, attempts: Attempts | None) -> Origin:
    """Return where an entry comes from.

    Args:
        identity: Which rank this is.
        entry: Name of the entry.
        attempts: The attempts of its job; None where there are none.
    """
    outer = outer_trace(identity, os.environ)
    if attempts is None or entry != semconv.FIT:
        return outer
    before = attempts.before()
    return Origin(outer.parent, (*outer.links, *before.links), before.attributes)


class Attempts:
    """The attempts of a job that torchrun starts again when a rank fails.

    Args:
        board: Where an attempt leaves what the next one is told.
        identity: Which rank of which attempt this is.
    """

    def __init__(self, board: Board, identity: RunIdentity) -> None:
        self._board = board
        self._identity = identity

    def before(self) -> Origin:
        """Return the attempt before this one: a link to its `fit`, and how it ended."""
        attempt = self._identity.attempt
        if self._identity.rank or attempt is None or attempt == _FIRST_ATTEMPT:
            return Origin()
        note = self._board.read(_began(attempt - 1))
        if note is None:
            return Origin()
        began = json.loads(note)
        context = SpanContext(int(began["trace"], 16), int(began["span"], 16), is_remote=True)
        ends = self._board.read_all([_ended(attempt - 1, rank) for rank in range(int(began["world_size"]))])
        reason = reason_of([json.loads(end) if end is not None else None for end in ends], self._identity.world_size)
        return Origin(links=(Link(context),), attributes={semconv.RESTART_REASON: reason})

    def begins(self, root: Span) -> None:
        """Tell the next attempt of this one's `fit`."""
        if self._identity.rank == 0 and self._identity.attempt is not None:
            context = root.get_span_context()
            note = {
                "trace": f"{context.trace_id:032x}",
                "span": f"{context.span_id:016x}",
                "world_size": self._identity.world_size,
            }
            self._board.leave(_began(self._identity.attempt), json.dumps(note).encode())

    def ends(self, outcome: Outcome, error: BaseException | None) -> None:
        """Tell the next attempt how this rank ended."""
        if self._identity.attempt is not None:
            note = [time.time(), str(outcome), type(error).__name__ if error is not None else ""]
            self._board.leave(_ended(self._identity.attempt, self._identity.rank), json.dumps(note).encode())


def attempts_of(identity: RunIdentity) -> Attempts | None:
    """Return the attempts of the job that torchrun started this process for; None where it did not."""
    if identity.attempt is None or "TORCHELASTIC_RESTART_COUNT" not in os.environ:
        return None
    board = board_of_job()
    return Attempts(board, identity) if board is not None else None


def reason_of(ends: list[Any], world_size: int) -> str:
    """Say how an attempt ended, and whether the next one has as many ranks.

    Args:
        ends: By rank: when it ended (Unix seconds), how, and by which exception; None where it said nothing.
        world_size: Number of ranks now.
    """
    silent = [rank for rank, end in enumerate(ends) if end is None]
    failed = sorted((end[0], rank, end[2]) for rank, end in enumerate(ends) if end is not None and end[2])
    if silent:
        reason = f"{_ranks(silent)} ended without a word, as by SIGKILL"
    elif failed:
        reason = f"rank {failed[0][1]} ended first, by {failed[0][2]}"
    else:
        reason = "all ranks ended by themselves"
    if len(ends) != world_size:
        reason += f"; then {len(ends)} ranks, now {world_size}"
    return reason


def _ranks(ranks: list[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {', '.join(map(str, ranks))}"


def _began(attempt: int) -> str:
    return f"attempt/{attempt}"


def _ended(attempt: int, rank: int) -> str:
    return f"attempt/{attempt}/{rank}"
