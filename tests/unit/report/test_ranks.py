"""What the report says of several ranks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.report import as_json, html, markdown, text
from ocr_otel.report.build import build
from ocr_otel.report.data import BatchRow, ReportData
from ocr_otel.report.drawn import drawn
from ocr_otel.report.ranks import MAX_ROWS, MAX_STEPS, RankRow, latest, steps, straggling
from ocr_otel.runs import Batch, Entry, Epoch, Run, SpanRecord, load
from ocr_otel.semconv import Phase
from tests.support import synthetic_run
from tests.support.synthetic_ranks import Together
from tests.support.synthetic_run import Shape


def recorded(directory: Path, ranks: int, together: Together, **shape: Any) -> Run:
    for rank in range(ranks):
        made = Shape(**{"epochs": 1, "batches": 40, "kept": 20} | shape, rank=rank, world_size=ranks, together=together)
        synthetic_run.make(directory, made)
    return load(directory)


def test_the_rank_that_holds_up_the_others_is_said_everywhere(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run", 4, Together(late=2))
    data = build(run)
    sentence = "Rank 2 arrives last at 97% of the steps, 27 ms after the others: it spends more in fetch."
    assert (data.straggling.rank, data.straggling.sentence) == (2, sentence)
    out = io.StringIO()
    text.render(run, out)
    assert out.getvalue().count(sentence) == 1
    assert f"**{sentence}**" in markdown.render(run)
    found = json.loads(as_json.render(run))
    assert found["straggling"]["rank"] == 2
    assert {step["last"] for step in found["straggling"]["steps"]} == {2}
    html.render(run, tmp_path / "report.html")
    assert sentence in (tmp_path / "report.html").read_text()


def test_ranks_are_told_by_what_they_wait_for_and_how_late_they_are(tmp_path: Path) -> None:
    data = build(recorded(tmp_path / "run", 4, Together(late=2, phase=Phase.FORWARD, hosts=2)))
    late, others = data.ranks[2], [data.ranks[each] for each in (0, 1, 3)]
    assert [row.host for row in data.ranks] == ["trainer-1", "trainer-1", "trainer-2", "trainer-2"]
    assert (late.last, late.delay) == (1.0, pytest.approx(0.027))
    assert data.straggling.basis == "all steps of epoch 0"
    for row in others:
        assert (row.last, row.delay) == (0.0, 0.0)
        assert row.mean == pytest.approx(late.mean, rel=0.02)
        assert row.work_mean == pytest.approx(late.work_mean - 0.03, abs=0.004)
        assert row.communication_mean == pytest.approx(late.communication_mean + 0.03, abs=0.004)


def test_lateness_that_goes_round_names_no_rank(tmp_path: Path) -> None:
    data = build(recorded(tmp_path / "run", 4, Together(late=-1)))
    assert data.straggling.rank is None
    assert data.straggling.sentence == "No rank stands out: 4 ranks were compared at 40 steps."
    assert data.straggling.heat is not None
    assert {step.last for step in data.straggling.heat.steps} == {0, 1, 2, 3}


def test_the_heat_map_is_that_of_the_kept_steps(tmp_path: Path) -> None:
    data = build(recorded(tmp_path / "run", 3, Together(late=1, seconds=0.05)))
    heat = data.straggling.heat
    assert heat is not None
    assert heat.ranks == [0, 1, 2]
    assert len(heat.steps) == heat.steps_in_all == data.kept_in_all
    for step in heat.steps:
        assert max(step.delays, key=lambda rank: step.delays[rank]) == 1
        assert 0.035 < step.delays[1] < 0.065
    shown = drawn(data)["ranks"]
    assert max(max(cells) for cells in shown["cells"]) * shown["unit"] == pytest.approx(0.06, abs=0.01)
    assert shown["cells"][0] != shown["cells"][1]


def test_ranks_that_hardly_differ_have_no_strong_colour(tmp_path: Path) -> None:
    data = build(recorded(tmp_path / "run", 4, Together(late=-1, seconds=0.0)))
    shown = drawn(data)["ranks"]
    assert max(max(cells) for cells in shown["cells"]) < shown["full"] / 3


def test_the_heat_map_is_bounded_in_steps_and_ranks(tmp_path: Path) -> None:
    run = recorded(tmp_path / "run", 2, Together(late=1), epochs=3, batches=200, kept=200)
    heat = build(run).straggling.heat
    assert heat is not None
    assert (len(heat.steps), heat.steps_in_all) == (MAX_STEPS, 600)
    assert [heat.steps[index].batch_idx for index in (0, -1)] == [0, 199]


def row(rank: int, delay: float | None, last: float = 0.0) -> RankRow:
    return RankRow(rank, 1, 0.1, 0.1, 0, 0, 0.1, 0, 0, delay, last, "")


def test_of_many_ranks_those_are_shown_that_arrive_latest() -> None:
    rows = [row(rank, 0.1 if rank in (3, 97) else None, 0.5 if rank == 98 else 0.0) for rank in range(100)]
    shown = [each.rank for each in latest(rows, MAX_ROWS)]
    assert len(shown) == 64
    assert shown == sorted(shown)
    assert {3, 97, 98} < set(shown)


def epoch(number: int, **attributes: Any) -> Epoch:
    said = {semconv.EPOCH: number, semconv.RANKS_COMPARED: 4, semconv.SYNCHRONISATIONS: 10}
    said |= {f"training.straggler.{name}": value for name, value in attributes.items()}
    return Epoch(SpanRecord(semconv.TRAIN_EPOCH, "t", f"{number}", "p", 0, 1, said), [], [])


@pytest.mark.parametrize(
    ("epochs", "rank", "sentence"),
    [
        ([], None, "Which rank the others wait for is not known: no exchange of gradients was timed."),
        ([epoch(0), epoch(1)], None, "No rank stands out: 4 ranks were compared at 20 steps."),
        ([epoch(0, rank=1, summary="First."), epoch(1, rank=1, summary="Second.")], 1, "Second."),
        ([epoch(0), epoch(1, rank=1, summary="It is 1."), epoch(2)], 1, "In 1 of 3 epochs: It is 1."),
        (
            [epoch(0, rank=1, summary="1."), epoch(1, rank=2, summary="2."), epoch(2, rank=2, summary="2 again.")],
            2,
            "In 2 of 3 epochs: 2 again.",
        ),
        ([epoch(0, rank=3)], 3, "Rank 3 holds up the others."),
    ],
)
def test_the_sentence_is_about_the_rank_of_most_epochs(epochs: list[Epoch], rank: int | None, sentence: str) -> None:
    found = straggling(Entry(semconv.FIT, 0, None, {}, epochs), [], [row(0, None), row(1, None)])
    assert (found.rank, found.sentence) == (rank, sentence)


def on_gpu(rank: int, index: int, waited: float | None) -> Batch:
    """A batch whose host did not wait, and whose device did, where that is known."""
    said = {semconv.STAGE: "train", semconv.EPOCH: 0, semconv.BATCH_IDX: index}
    said |= {semconv.phase_seconds(Phase.COMMUNICATION): 1e-5, semconv.device_seconds(Phase.BACKWARD): 0.1}
    if waited is not None:
        said[semconv.device_seconds(Phase.COMMUNICATION)] = waited
    return Batch(SpanRecord(semconv.TRAIN_BATCH, f"{index}", f"{rank}", "", 0, 1, said), rank)


def test_on_gpus_it_is_the_device_that_waits() -> None:
    waits = ((0.03, 0.002, 0.03), (0.03, None, 0.03), (None, None, None))
    found = steps(on_gpu(rank, index, wait) for index, step in enumerate(waits) for rank, wait in enumerate(step))
    assert [(step.batch_idx, step.last) for step in found] == [(0, 1)]
    assert found[0].delays[1] == pytest.approx(0.028)


def test_a_single_rank_has_nothing_to_say() -> None:
    assert straggling(Entry(semconv.FIT, 0, None, {}, [epoch(0, rank=1)]), [], []).sentence == ""


def test_ranks_that_did_not_time_their_exchange_say_so(tmp_path: Path) -> None:
    for rank in range(2):
        synthetic_run.make(tmp_path / "run", Shape(epochs=1, rank=rank, world_size=2))
    data = build(load(tmp_path / "run"))
    assert "not known" in data.straggling.sentence
    assert data.straggling.heat is None
    assert [(each.delay, each.last) for each in data.ranks] == [(None, None)] * 2


def opened(data: ReportData) -> list[BatchRow]:
    return [each for each in data.kept if each.stage == "train"]


def test_the_waterfall_shows_who_waits_for_whom(tmp_path: Path) -> None:
    data = build(recorded(tmp_path / "run", 4, Together(late=2)))
    for batch in opened(data):
        # The rank that all others waited for, with its spans.
        assert batch.rank == 2
        bars = [bar for bar in batch.waterfall if bar.kind == "rank"]
        assert [bar.name for bar in bars] == ["rank 0", "rank 1", "rank 3"]
        for bar in bars:
            (wait,) = [part for part in bar.parts if part[0] == "communication"]
            assert wait[2] > 0.02
        (own,) = [bar for bar in batch.waterfall if bar.kind == "communication"]
        assert own.seconds == pytest.approx(0.004, abs=0.0001)
        # All leave at the same time.
        ends = [part[1] + part[2] for bar in bars for part in bar.parts if part[0] == "communication"]
        assert [*ends, own.start + own.seconds] == pytest.approx([ends[0]] * 4, abs=1e-6)


@pytest.mark.parametrize(("hosts", "corrected"), [(2, True), (1, False)])
def test_spans_of_other_hosts_are_moved_by_their_clocks(tmp_path: Path, hosts: int, corrected: bool) -> None:
    data = build(recorded(tmp_path / "run", 4, Together(late=3, hosts=hosts, clock=0.25)))
    for batch in opened(data):
        starts = [bar.start for bar in batch.waterfall if bar.kind == "rank"]
        assert starts == pytest.approx([0.0] * 3, abs=1e-6)
        assert ("drawn 250 ms earlier" in batch.remarks) is corrected


def test_a_clock_that_was_not_compared_is_left_as_it_is(tmp_path: Path) -> None:
    data = build(recorded(tmp_path / "run", 2, Together(late=1, hosts=2, clock=0.25), outcome="", epochs=0))
    for batch in opened(data):
        assert [bar.start for bar in batch.waterfall if bar.kind == "rank"] == pytest.approx([-0.25], abs=1e-6)
        assert "not compared" in batch.remarks
    assert data.straggling.sentence == "No epoch has ended over which the ranks were compared."
    assert data.ranks[1].delay == pytest.approx(0.03, abs=0.006)
    assert data.straggling.basis == f"{data.kept_in_all} kept steps"


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (0, ""),
        (2, "Attempt 3 of job job-1. The one before: rank 1 was killed by SIGKILL"),
    ],
)
def test_a_further_attempt_says_why_the_one_before_ended(tmp_path: Path, attempt: int, said: str) -> None:
    run = recorded(tmp_path / "run", 2, Together(attempt=attempt, reason="rank 1 was killed by SIGKILL"))
    assert build(run).attempt == said
    out = io.StringIO()
    text.render(run, out)
    assert ("Attempt" in out.getvalue()) is bool(said)
    assert ("Attempt" in markdown.render(run)) is bool(said)
    assert json.loads(as_json.render(run))["attempt"] == said


def test_what_hostile_ranks_say_is_text(tmp_path: Path) -> None:
    hostile = "</script><img src=x onerror=alert(1)>"
    run = recorded(tmp_path / "run", 2, Together(attempt=1, reason=hostile))
    html.render(run, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<img" not in page
    assert "&lt;img" in page
