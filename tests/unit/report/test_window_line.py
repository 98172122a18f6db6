"""The time line of a profiler window: where a bar stands, what a lane adds up to, and what damage cannot do."""

from __future__ import annotations

import math

import pytest

from ocr_otel import semconv
from ocr_otel.diagnosis import Verdict
from ocr_otel.profiling.profile import Slice, WindowProfile
from ocr_otel.report.window_line import MAX_BARS, MAX_ROWS, LineLane, marked, window_line
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.semconv import Bottleneck
from tests.support.synthetic_window import BATCH, profile


def lanes(*slices: Slice) -> dict[str, LineLane]:
    line = window_line(WindowProfile(10.0, slices=slices))
    return {lane.name: lane for lane in line.lanes} if line is not None else {}


def batch(index: int, start: float, worker: int, begins: float, seconds: float) -> Batch:
    """A kept batch that a worker made; times in seconds."""
    at = int(start * 1e9)
    began = at + int(begins * 1e9)
    child = SpanRecord(
        semconv.WORKER, "1", "3", "2", began, began + int(seconds * 1e9), {semconv.WORKER_ID: worker}
    )  # fmt: skip
    attributes = {semconv.EPOCH: 2, semconv.BATCH_IDX: index}
    return Batch(SpanRecord(semconv.TRAIN_BATCH, "1", "2", "", at, at + 10**8, attributes, children=[child]), 0)


def test_what_runs_inside_another_is_below_it() -> None:
    found = lanes(
        Slice("operators", "linear", 0.0, 1.0),
        Slice("operators", "addmm", 0.2, 0.5),
        Slice("operators", "relu", 1.0, 0.5),
    )["operators"]
    assert [(bar.name, bar.row) for bar in found.bars] == [("linear", 0), ("addmm", 1), ("relu", 0)]
    assert found.rows == 2


def test_what_runs_beside_another_is_below_it_too() -> None:
    found = lanes(Slice("device", "a", 0.0, 1.0), Slice("device", "b", 0.5, 1.0))["device"]
    assert [bar.row for bar in found.bars] == [0, 1]


def test_a_lane_is_busy_while_any_of_its_bars_is() -> None:
    found = lanes(
        Slice("phases", "batch", 0.0, 4.0), Slice("device", "a", 0.0, 1.0), Slice("device", "b", 0.5, 1.0)
    )  # fmt: skip
    assert found["phases"].busy == pytest.approx(1)
    assert found["device"].busy == pytest.approx(1.5 / 4)


def test_lanes_have_one_order_and_empty_ones_are_left_out() -> None:
    made = [Slice(name, "x", 0.0, 1.0) for name in ("later", "communication", "device", "operators", "phases")]
    assert list(lanes(*made)) == ["phases", "operators", "device", "communication", "later"]
    assert window_line(WindowProfile(1.0)) is None


def test_the_longest_bars_are_drawn_and_the_others_counted() -> None:
    short = [Slice("operators", "short", 1.0 + index / 100, 0.001) for index in range(MAX_BARS)]
    line = window_line(WindowProfile(100.0, slices=(*short, Slice("operators", "long", 50.0, 9.0))))
    assert line is not None
    assert line.left_out == 1
    assert "long" in [bar.name for bar in line.lanes[0].bars]
    deep = [Slice("operators", "deep", index / 100, 1.0 - index / 50) for index in range(MAX_ROWS + 3)]
    line = window_line(WindowProfile(1.0, slices=tuple(deep)))
    assert line is not None
    assert (line.lanes[0].rows, line.left_out) == (MAX_ROWS, 3)


@pytest.mark.parametrize(
    ("start", "seconds"), [(math.nan, 1.0), (0.0, math.inf), (-5.0, 1.0), (0.0, -1.0), (1e300, 1.0)]
)
def test_damaged_bars_are_left_out(start: float, seconds: float) -> None:
    found = lanes(Slice("phases", "good", 0.0, 1.0), Slice("phases", "bad", start, seconds))
    assert [bar.name for bar in found["phases"].bars] == ["good"]


def test_workers_stand_where_their_batch_began() -> None:
    shown = profile(epoch=2, first=7, batches=2)
    made = [batch(7, 100.0, 0, -0.5, 0.51), batch(8, 100.0 + BATCH, 1, -0.03, 0.04)]
    line = window_line(shown, made, 2, 7)
    assert line is not None
    (workers,) = [lane for lane in line.lanes if lane.name == "workers"]
    assert [bar.name for bar in workers.bars] == ["worker 0: batch 7", "worker 1: batch 8"]
    # The first one began before the window did.
    assert [bar.start for bar in workers.bars] == pytest.approx([0.0, BATCH - 0.03])
    assert [bar.seconds for bar in workers.bars] == pytest.approx([0.01, 0.04])
    assert [bar.row for bar in workers.bars] == [0, 1]


def test_batches_without_numbers_in_their_names_are_counted_from_the_first() -> None:
    named = WindowProfile(
        2.0, slices=(Slice("batches", "train_batch", 0.0, 1.0), Slice("batches", "train_batch", 1.0, 1.0))
    )
    line = window_line(named, [batch(8, 50.0, 3, 0.0, 0.2)], 2, 7)
    assert line is not None
    (bar,) = line.lanes[1].bars
    assert (bar.name, bar.start) == ("worker 3: batch 8", pytest.approx(1.0))


def test_batches_are_called_by_their_numbers() -> None:
    line = window_line(profile(epoch=2, first=7, batches=2))
    assert line is not None
    assert [bar.name for bar in line.lanes[0].bars] == ["batch 7, epoch 2", "batch 8, epoch 2"]


def test_batches_of_another_epoch_have_no_workers_here() -> None:
    line = window_line(profile(epoch=1, first=7), [batch(7, 100.0, 0, 0.0, 0.1)], 1, 7)
    assert line is not None
    assert "workers" not in [lane.name for lane in line.lanes]


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (Bottleneck.DATA, ("fetch",)),
        (Bottleneck.TRANSFER, ("transfer", "transfers")),
        (Bottleneck.COMMUNICATION, ("communication",)),
        (Bottleneck.COMPUTE, ("forward", "backward")),
        (Bottleneck.SYNCHRONIZATION, ()),
        (Bottleneck.NONE, ()),
    ],
)
def test_what_a_verdict_is_about_as_a_whole_is_marked(kind: Bottleneck, wanted: tuple[str, ...]) -> None:
    assert marked(Verdict(kind, 0.5, "", "")) == wanted
