"""The time line of a profiler window: what ran when, in lanes, ready to be drawn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ocr_otel import semconv
from ocr_otel.diagnosis import Verdict
from ocr_otel.profiling.profile import Gap, Slice, WindowProfile
from ocr_otel.report.card import THE_CAUSE, cause_of, mark_of
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.semconv import Bottleneck

MAX_BARS: Final = 3000
"""Bars of a time line; the shortest are left out, which are narrower than a pixel of the whole."""
MAX_ROWS: Final = 6
"""Rows of a lane; what lies deeper is left out: the trace file has it."""
MAX_WORKERS: Final = 8
_MOST: Final = 1e6
"""Seconds that no window lasts: what lies beyond, or is no number, is damage."""
WORKERS: Final = "workers"
_BATCHES: Final = "batches"
_ORDER: Final = (_BATCHES, "phases", "operators", WORKERS, "device", "transfers", "communication")
_MEANING: Final = {
    _BATCHES: "batches of the training",
    "phases": "what the training loop did",
    "operators": "PyTorch's operators on the host",
    WORKERS: "dataloader workers, from the batch traces",
    "device": "kernels",
    "transfers": "copies between host and device",
    "communication": "collectives between ranks",
}
_MARKED: Final = {
    Bottleneck.TRANSFER: ("transfer", "transfers"),
    Bottleneck.COMMUNICATION: ("communication",),
}
_NUMBERS: Final = re.compile(r"epoch=(\d+) batch=(\d+)")


@dataclass(frozen=True, slots=True)
class LineBar:
    """A bar: its name, seconds from the beginning of the window, seconds long, and its row in the lane, from 0."""

    name: str
    start: float
    seconds: float
    row: int


@dataclass(frozen=True, slots=True)
class LineLane:
    """Bars of one kind.

    Attributes:
        name: `batches`, `phases`, `operators`, `workers`, `device`, `transfers` or `communication`.
        meaning: What it shows, in words.
        rows: Rows that it has.
        busy: Share of the time line in which one of its bars is.
        bars: Its bars, in order of time.
    """

    name: str
    meaning: str
    rows: int
    busy: float
    bars: list[LineBar]


@dataclass(frozen=True, slots=True)
class WindowLine:
    """The time line of a window's first batches.

    Attributes:
        seconds: From its beginning to the end of its last bar.
        lanes: Its lanes, those without a bar left out.
        gaps: Times in which the device was idle.
        left_out: Bars that were too many.
    """

    seconds: float
    lanes: list[LineLane]
    gaps: tuple[Gap, ...]
    left_out: int


def window_line(
    profile: WindowProfile, batches: Iterable[Batch] = (), epoch: int = -1, first_batch: int = 0
) -> WindowLine | None:
    """Return the time line of a window; None where its profile has none.

    Args:
        profile: What the window showed.
        batches: Kept batches of its rank; their workers get a lane.
        epoch: Epoch that it was in.
        first_batch: Index of its first batch.
    """
    finite = [
        each for each in profile.slices if each.start >= 0 and each.seconds >= 0 and each.start + each.seconds < _MOST
    ]
    slices = sorted(finite, key=lambda each: -each.seconds)[:MAX_BARS]
    end = max((each.start + each.seconds for each in slices), default=0.0)
    if end <= 0:
        return None
    lanes = {name: _lane(name, _rows(held), end) for name, held in _by_lane(slices).items()}
    kept = sum(len(lane.bars) for lane in lanes.values())
    workers = _workers(finite, batches, epoch, first_batch, end)
    if workers:
        lanes[WORKERS] = _lane(WORKERS, workers, end)
    order = [name for name in _ORDER if name in lanes] + sorted(lanes.keys() - set(_ORDER))
    gaps = tuple(gap for gap in profile.gaps if 0 <= gap.start < end and 0 <= gap.seconds < _MOST)
    return WindowLine(end, [lanes[name] for name in order], gaps, len(profile.slices) - kept)


def marked(verdict: Verdict) -> tuple[str, ...]:
    """Return the phases and lanes whose bars are what a verdict is about; empty where it is about a part of them."""
    return _MARKED.get(verdict.kind) or (cause_of(verdict) if mark_of(verdict) == THE_CAUSE else ())


def _by_lane(slices: list[Slice]) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {}
    for each in slices:
        found.setdefault(each.lane, []).append(each)
    return found


def _lane(name: str, bars: list[LineBar], end: float) -> LineLane:
    busy = reached = 0.0
    for bar in bars:
        busy += max(0.0, bar.start + bar.seconds - max(bar.start, reached))
        reached = max(reached, bar.start + bar.seconds)
    rows = max(bar.row for bar in bars) + 1
    return LineLane(name, _MEANING.get(name, ""), rows, min(1.0, busy / end), bars)


def _rows(slices: list[Slice]) -> list[LineBar]:
    """Give each slice the first row that is free: one that runs inside another, or beside it, comes below."""
    bars, ends = [], [0.0] * MAX_ROWS
    for each in sorted(slices, key=lambda slice_: (slice_.start, -slice_.seconds)):
        # A nanosecond is what is lost between microseconds in the file and seconds here.
        row = next((row for row, end in enumerate(ends) if end <= each.start + 1e-9), None)
        if row is not None:
            ends[row] = each.start + each.seconds
            bars.append(LineBar(_called(each), each.start, each.seconds, row))
    return bars


def _called(bar: Slice) -> str:
    numbers = _NUMBERS.search(bar.name) if bar.lane == _BATCHES else None
    return f"batch {numbers[2]}, epoch {numbers[1]}" if numbers else bar.name


def _workers(
    slices: Iterable[Slice], batches: Iterable[Batch], epoch: int, first_batch: int, end: float
) -> list[LineBar]:
    """Return what the workers did, on the time line of the window: a batch's trace and its range began together."""
    spans = {(int(b.span.number(semconv.EPOCH)), int(b.span.number(semconv.BATCH_IDX))): b.span for b in batches}
    marks = sorted((each for each in slices if each.lane == _BATCHES), key=lambda each: each.start)
    found: list[tuple[int, LineBar]] = []
    for place, mark in enumerate(marks):
        numbers = _NUMBERS.search(mark.name)
        key = (int(numbers[1]), int(numbers[2])) if numbers else (epoch, first_batch + place)
        if span := spans.get(key):
            found += _of_batch(span, mark.start, key[1])
    named = sorted({worker for worker, _ in found})[:MAX_WORKERS]
    bars = []
    for worker, bar in found:
        begins, ends = max(0.0, bar.start), min(end, bar.start + bar.seconds)
        if worker in named and ends > begins:
            bars.append(LineBar(bar.name, begins, ends - begins, named.index(worker)))
    return sorted(bars, key=lambda bar: bar.start)


def _of_batch(span: SpanRecord, begins: float, index: int) -> Iterator[tuple[int, LineBar]]:
    for child in span.children:
        if child.name == semconv.WORKER:
            worker = int(child.number(semconv.WORKER_ID, -1))
            name = f"worker {worker}: batch {index}" if worker >= 0 else f"training process: batch {index}"
            yield worker, LineBar(name, begins + (child.start - span.start) / 1e9, child.seconds, 0)
