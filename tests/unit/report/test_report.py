"""The report: what adds up, what is left out, and what a hostile run cannot do."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from ocr_otel.diagnosis import TimeBudget, diagnose
from ocr_otel.report import as_json, html, text
from ocr_otel.report.build import MAX_WATERFALLS, build
from ocr_otel.report.card import CardFacts, duration, parts_of, render_card
from ocr_otel.runs import load
from ocr_otel.semconv import Bottleneck, Phase
from tests.support import run_directory as make

FACTS = CardFacts(
    "fit", "completed", 100.0, 500, 4000, 3, 0.1, 0.15, 0.4, 2.0, None, 2, 7, "files", "ocr-otel report x"
)


def test_the_parts_of_an_epoch_add_up_to_its_wall_time(tmp_path: Path) -> None:
    data = build(load(make.complete(tmp_path / "made")))
    assert len(data.epochs) == 2
    for epoch in data.epochs:
        assert sum(seconds for _, seconds in parts_of(epoch.budget)) == pytest.approx(10.0)
        assert epoch.budget.other == pytest.approx(0.5)
    assert sum(seconds for _, seconds in parts_of(data.budget)) == pytest.approx(22.0)


def test_the_planted_wait_is_the_verdict(tmp_path: Path) -> None:
    data = build(load(make.complete(tmp_path / "made")))
    assert data.verdict is not None
    assert data.verdict.kind is Bottleneck.DATA


def test_a_killed_run_is_reported_as_far_as_it_came(tmp_path: Path) -> None:
    run = load(make.write(tmp_path / "made", make.line([make.start_span()]), make.line(make.epoch(0, 1.0))))
    data = build(run)
    assert data.outcome == "running or killed"
    assert data.wall == pytest.approx(11.0)
    html.render(run, tmp_path / "report.html")
    assert "running or killed" in (tmp_path / "report.html").read_text()


def test_a_run_of_nothing_but_its_start_is_reported(tmp_path: Path) -> None:
    run = load(make.write(tmp_path / "made", make.line([make.start_span()])))
    html.render(run, tmp_path / "report.html")
    text.render(run, io.StringIO())
    assert json.loads(as_json.render(run))["verdict"] is None


def test_hostile_names_are_text(tmp_path: Path) -> None:
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    exception = {"name": "exception", "attributes": [make.attribute("exception.message", hostile)]}
    directory = make.complete(tmp_path / "made", logged=hostile)
    failed = make.fit(events=[exception], status={"code": 2})
    with (directory / "traces.jsonl").open("a") as file:
        file.write(make.line([failed]))
    html.render(load(directory), tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert page.count("<script") - page.count('createElement("script') >= 3


def test_terminal_escapes_do_not_reach_the_terminal(tmp_path: Path) -> None:
    run = load(make.complete(tmp_path / "made", logged="\x1b[31mred\x07"))
    out = io.StringIO()
    text.render(run, out)
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_json_has_the_numbers(tmp_path: Path) -> None:
    found = json.loads(as_json.render(load(make.complete(tmp_path / "made"))))
    assert found["outcome"] == "completed"
    assert found["epochs"][0]["budget"]["validation"] == pytest.approx(1.0)
    assert found["verdict"]["kind"] == "data"
    assert len(found["kept"]) == 10


def test_the_choice_of_waterfalls_keeps_every_slow_batch(tmp_path: Path) -> None:
    batches = [
        part
        for index in range(3 * MAX_WATERFALLS)
        for part in make.batch(index, index / 10, 0.01, "slow" if index % 100 == 0 else "regular")
    ]
    data = build(load(make.write(tmp_path / "made", make.line(batches))))
    assert len(data.kept) == MAX_WATERFALLS
    assert sum(batch.kept == "slow" for batch in data.kept) == 12
    assert data.kept_in_all == 3 * MAX_WATERFALLS


def test_the_card_has_at_most_twelve_lines_and_marks_the_cause() -> None:
    phases = dict.fromkeys(Phase, 5.0) | {Phase.FETCH: 50.0}
    budget = TimeBudget(100.0, phases, 3.0, 2.0, 500)
    out = io.StringIO()
    render_card(budget, diagnose(budget), FACTS, out)
    lines = out.getvalue().splitlines()
    assert len(lines) <= 12
    (marked,) = [line for line in lines if "← the cause" in line]
    assert "50%" in marked
    assert "fetch" in marked
    assert "7 spans could not be delivered" in out.getvalue()
    assert "2 steps skipped" in out.getvalue()
    assert "\x1b" not in out.getvalue()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0004, "0.4 ms"), (0.4362, "436 ms"), (16.29, "16.3 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
