"""What a report says of several ranks: who holds up the others, at which steps, and how they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ocr_otel import semconv
from ocr_otel.diagnosis.words import count, duration
from ocr_otel.ranks.straggling import QUANTILE
from ocr_otel.report.arrivals import delays, last
from ocr_otel.report.clocks import HOST
from ocr_otel.runs import Batch, Entry, RankRecord, SpanRecord
from ocr_otel.semconv import Phase, Stage

MAX_ROWS: Final = 64
"""Ranks that are drawn and listed: of more, those that arrive latest."""
MAX_STEPS: Final = 240
"""Steps in the heat map: about as many as a page has room for."""
NOTICEABLE: Final = 0.1
"""Share of the median batch that has the full colour at least: less than a tenth of a batch alarms nobody."""
_WAIT: Final = semconv.phase_seconds(Phase.COMMUNICATION)


@dataclass(frozen=True, slots=True)
class RankRow:
    """A rank of a run on several; its kept training batches.

    Attributes:
        rank: Which.
        batches: Kept batches.
        p50: Median of them.
        p95: 95th percentile of them.
        fetch_mean: Mean wait for data.
        step_mean: Mean time of forward, backward and optimizer.
        mean: Mean batch.
        work_mean: Mean time of forward and backward.
        communication_mean: Mean wait for the other ranks.
        delay: How much later it arrives than the median of the others, in three of four steps at least; None where it
            was not compared.
        last: Share of the kept steps at which it arrived last; None where nobody could tell.
        host: Where it ran; empty where unknown.
    """

    rank: int
    batches: int
    p50: float
    p95: float
    fetch_mean: float
    step_mean: float
    mean: float
    work_mean: float
    communication_mean: float
    delay: float | None
    last: float | None
    host: str


@dataclass(frozen=True, slots=True)
class Step:
    """A kept step of several ranks.

    Attributes:
        trace_id: Its trace.
        epoch: Its epoch.
        batch_idx: Its index in the epoch.
        delays: By rank, seconds after the median of the others.
        last: The rank that arrived last; None where several did.
    """

    trace_id: str
    epoch: int
    batch_idx: int
    delays: dict[int, float]
    last: int | None


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Delays of ranks at kept steps.

    Attributes:
        ranks: Ranks of its rows.
        left_out: Ranks that have no row.
        steps: Its columns, in order of time.
        steps_in_all: Kept steps that could have been columns.
        scale: Seconds that have the full colour.
    """

    ranks: list[int]
    left_out: int
    steps: list[Step]
    steps_in_all: int
    scale: float


@dataclass(frozen=True, slots=True)
class Straggling:
    """Whether one rank holds up the others.

    Attributes:
        sentence: What was found, or why nothing could be; empty of a single rank.
        rank: The rank that all others wait for; None where none stands out.
        basis: What the delays of the ranks rest on, in words; empty where there are none.
        heat: Delays by rank and step; None where no step tells.
    """

    sentence: str = ""
    rank: int | None = None
    basis: str = ""
    heat: HeatMap | None = None


def steps(batches: Iterable[Batch]) -> list[Step]:
    """Return the kept training steps at which ranks waited for each other, in order of time."""
    members: dict[str, dict[int, SpanRecord]] = {}
    for batch in batches:
        if batch.span.text(semconv.STAGE) == Stage.TRAIN and _WAIT in batch.span.attributes:
            # A run that was started again may do a step once more: the last time counts.
            members.setdefault(batch.span.trace_id, {})[batch.rank] = batch.span
    found = []
    for trace_id, spans in members.items():
        waits = {rank: wait for rank, span in spans.items() if (wait := _waited(span)) is not None}
        if len(waits) == len(spans) and (late := delays(waits)):
            span = next(iter(spans.values()))
            epoch, index = int(span.number(semconv.EPOCH)), int(span.number(semconv.BATCH_IDX))
            found.append(Step(trace_id, epoch, index, late, last(waits)))
    return found


def _waited(span: SpanRecord) -> float | None:
    """Return the seconds that a rank waited in a step; None where the host did not wait and the device tells nothing.

    With a GPU the host only asks for the exchange: it is the device's stream that waits.
    """
    on_device = span.device()
    return (on_device[Phase.COMMUNICATION] or None) if any(on_device.values()) else span.number(_WAIT)


def straggling(entry: Entry | None, found: list[Step], rows: list[RankRow]) -> Straggling:
    """Return whether one rank holds up the others.

    Args:
        entry: The entry; its epochs say what was recorded over all steps.
        found: The kept steps.
        rows: The ranks; a single one has nobody to wait for.
    """
    if len(rows) < 2:
        return Straggling()
    compared = _compared(entry)
    sentence, rank, _ = _told(compared)
    if not sentence:
        sentence = "No epoch has ended over which the ranks were compared." if found else (
            "Which rank the others wait for is not known: no exchange of gradients was timed."
        )  # fmt: skip
    return Straggling(sentence, rank, _basis(compared, found), _heat(found, rows))


def rank_rows(
    batches: list[Batch], found: list[Step], entry: Entry | None, records: Iterable[RankRecord]
) -> list[RankRow]:
    """Return the ranks, by their kept training batches and by what was recorded of their delays."""
    spans: dict[int, list[SpanRecord]] = {}
    for batch in batches:
        if batch.span.text(semconv.STAGE) == Stage.TRAIN:
            spans.setdefault(batch.rank, []).append(batch.span)
    hosts = {each.rank: str(each.resource.get(HOST, "")) for each in records}
    recorded = _recorded(_compared(entry))
    kept: dict[int, list[float]] = {}
    for step in found:
        for rank, delay in step.delays.items():
            kept.setdefault(rank, []).append(delay)
    lasts = Counter(step.last for step in found)
    return [
        RankRow(
            rank=rank,
            batches=len(held),
            p50=_percentile([span.seconds for span in held], 50),
            p95=_percentile([span.seconds for span in held], 95),
            fetch_mean=_mean(held, Phase.FETCH),
            step_mean=_mean(held, Phase.FORWARD, Phase.BACKWARD, Phase.OPTIMIZER),
            mean=float(np.mean([span.seconds for span in held])),
            work_mean=_mean(held, Phase.FORWARD, Phase.BACKWARD),
            communication_mean=float(np.mean([_waited(span) or 0.0 for span in held])),
            delay=recorded[rank] if rank in recorded else _usual(kept.get(rank, [])),
            last=lasts[rank] / len(kept[rank]) if rank in kept else None,
            host=hosts.get(rank, ""),
        )
        for rank, held in sorted(spans.items())
    ]


def latest(rows: list[RankRow], number: int) -> list[RankRow]:
    """Return at most so many ranks, those that arrive latest, in their order."""
    worst = sorted(rows, key=lambda row: (-(row.delay or 0.0), -(row.last or 0.0), row.rank))[:number]
    return sorted(worst, key=lambda row: row.rank)


COLUMNS: Final = ("rank", "batch", "fetch", "forward, backward", "waits", "delay", "last", "host")
"""Of a table of ranks in text."""


def cells(row: RankRow) -> tuple[str, ...]:
    """Return a rank as text, in the order of `COLUMNS`; empty for what is not known."""
    return (
        str(row.rank),
        duration(row.mean),
        duration(row.fetch_mean),
        duration(row.work_mean),
        duration(row.communication_mean),
        duration(row.delay) if row.delay is not None else "",
        f"{row.last:.0%}" if row.last is not None else "",
        row.host,
    )


def left_out(rows: list[RankRow], shown: int) -> str:
    """Return what is to be said of ranks that a table leaves out; empty where it has all."""
    return f"the {shown} of {len(rows)} ranks that arrive latest" if len(rows) > shown else ""


def _heat(found: list[Step], rows: list[RankRow]) -> HeatMap | None:
    if not found:
        return None
    shown = [row.rank for row in latest(rows, MAX_ROWS)]
    columns = np.linspace(0, len(found) - 1, min(len(found), MAX_STEPS), dtype=int)
    chosen = [found[index] for index in columns]
    highest = _percentile([max(step.delays.values()) for step in chosen], 98)
    scale = max(highest, NOTICEABLE * _percentile([row.p50 for row in rows], 50))
    return HeatMap(shown, len(rows) - len(shown), chosen, len(found), scale)


def _compared(entry: Entry | None) -> list[SpanRecord]:
    epochs = [epoch.span for epoch in entry.epochs] if entry is not None else []
    return [span for span in epochs if span.number(semconv.RANKS_COMPARED) > 1]


def _told(compared: list[SpanRecord]) -> tuple[str, int | None, SpanRecord | None]:
    """Return the sentence, the rank it is about, and the epoch that said it; nothing where none was compared."""
    if not compared:
        return "", None, None
    late = [span for span in compared if semconv.STRAGGLER_RANK in span.attributes]
    if not late:
        ranks = count(max(span.number(semconv.RANKS_COMPARED) for span in compared), "rank")
        at = count(sum(span.number(semconv.SYNCHRONISATIONS) for span in compared), "step")
        return f"No rank stands out: {ranks} were compared at {at}.", None, compared[-1]
    times = Counter(int(span.number(semconv.STRAGGLER_RANK)) for span in late)
    rank, epochs = max(times.items(), key=lambda item: item[1])
    span = next(each for each in reversed(late) if int(each.number(semconv.STRAGGLER_RANK)) == rank)
    lead = f"In {epochs} of {len(compared)} epochs: " if epochs < len(compared) else ""
    return f"{lead}{span.text(semconv.STRAGGLER_SUMMARY) or f'Rank {rank} holds up the others.'}", rank, span


def _recorded(compared: list[SpanRecord]) -> dict[int, float | None]:
    """Return the delays that were recorded over all steps of the epoch that is told of."""
    _, _, span = _told(compared)
    values = span.attributes.get(semconv.RANKS_DELAY) if span is not None else None
    if not isinstance(values, list):
        return {}
    numbers = [value if isinstance(value, (int, float)) and np.isfinite(value) else -1.0 for value in values]
    return {rank: float(value) if value >= 0 else None for rank, value in enumerate(numbers)}


def _basis(compared: list[SpanRecord], found: list[Step]) -> str:
    _, _, span = _told(compared)
    if span is not None and _recorded(compared):
        return f"all steps of epoch {int(span.number(semconv.EPOCH))}"
    return count(len(found), "kept step") if found else ""


def _usual(values: list[float]) -> float | None:
    return max(0.0, _percentile(values, 100 * QUANTILE)) if values else None


def _mean(spans: list[SpanRecord], *phases: Phase) -> float:
    return float(np.mean([sum(span.number(semconv.phase_seconds(each)) for each in phases) for span in spans]))


def _percentile(values: list[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else 0.0
