"""The bars of a step of very many ranks are bounded, and what is left out is said."""

from __future__ import annotations

from ocr_otel import semconv
from ocr_otel.report.batches import MAX_RANK_BARS, MAX_WATERFALLS, MIN_WATERFALLS, chosen
from ocr_otel.report.clocks import Clocks
from ocr_otel.report.records import OfBatches
from ocr_otel.report.waterfall import MAX_RANKS, left_out, waterfall
from ocr_otel.runs import Batch, SpanRecord
from ocr_otel.semconv import Phase

NO_CLOCKS = Clocks({}, {})
WAIT = semconv.phase_seconds(Phase.COMMUNICATION)


def step(number: int, ranks: int) -> list[Batch]:
    """A step whose ranks wait the longer the higher their number is; the first one came last."""
    start = number * 10**9
    return [
        Batch(
            SpanRecord(
                semconv.TRAIN_BATCH, f"{number}", f"{number}-{rank}", "", start, start + 10**8,
                {semconv.STAGE: "train", semconv.KEPT: "regular", semconv.BATCH_IDX: number, WAIT: 0.001 * rank},
            ),
            rank,
        )
        for rank in range(ranks)
    ]  # fmt: skip


def test_of_very_many_ranks_those_have_a_bar_that_waited_least() -> None:
    members = step(0, 100)
    bars = waterfall(members[0], members, NO_CLOCKS)
    # The batch's own phases are not known, so that it has a bar as the others have.
    assert [bar.name for bar in bars] == [f"rank {rank}" for rank in range(MAX_RANKS + 1)]
    assert left_out(members) == "Without a bar, for they waited longest for the others: 35 ranks."
    assert left_out(members[: MAX_RANKS + 1]) == ""


def test_the_more_ranks_the_fewer_steps_can_be_opened() -> None:
    for ranks, most in ((1, MAX_WATERFALLS), (2, MAX_WATERFALLS), (60, 100), (400, MIN_WATERFALLS)):
        batches = [batch for number in range(MAX_WATERFALLS + 10) for batch in step(number, ranks)]
        rows = chosen(batches, 0, NO_CLOCKS, OfBatches([], 0))
        assert len(rows) == most
        assert sum(len(row.waterfall) for row in rows) <= max(MAX_RANK_BARS, MIN_WATERFALLS * MAX_RANKS)
        # All others waited for it.
        assert {row.rank for row in rows} == {0}


def test_a_rank_of_which_only_the_root_is_known_is_drawn_by_what_its_phases_took() -> None:
    members = step(0, 3)
    members[2].span.attributes[semconv.phase_seconds(Phase.FORWARD)] = 0.04
    bars = {bar.name: bar for bar in waterfall(members[0], members, NO_CLOCKS)}
    assert bars["rank 2"].parts == [("forward", 0.0, 0.04), ("communication", 0.04, 0.002)]
