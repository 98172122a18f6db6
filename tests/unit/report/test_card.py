"""The card in the terminal: what it says, how long it is, and where it can be printed."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from ocr_otel.diagnosis import Evidence, Observation, TimeBudget, Verdict, diagnose
from ocr_otel.diagnosis.words import duration
from ocr_otel.report import card
from ocr_otel.report.card import CardFacts, render_card
from ocr_otel.semconv import Bottleneck, Confidence, Phase

FACTS = CardFacts(
    "fit", "completed", 100.0, 500, 4000, 3, 0.1, 0.15, 0.4, 2.0, None, 2, 7, "files", "ocr-otel report runs/some-run"
)
BUDGET = TimeBudget(100.0, dict.fromkeys(Phase, 5.0) | {Phase.FETCH: 50.0}, 3.0, 2.0, 500)


def verdict_on(budget: TimeBudget) -> Verdict | None:
    found = diagnose(Observation(budget))
    return found.verdict if found is not None else None


def printed(budget: TimeBudget = BUDGET, facts: CardFacts = FACTS) -> str:
    out = io.StringIO()
    render_card(budget, verdict_on(budget), facts, out)
    return out.getvalue()


def test_it_has_at_most_twelve_lines_and_marks_the_cause() -> None:
    lines = printed().splitlines()
    assert len(lines) <= 12
    (marked,) = [line for line in lines if "← the cause" in line]
    assert "50%" in marked
    assert "fetch" in marked
    assert "7 spans could not be delivered" in printed()
    assert "2 steps skipped" in printed()
    assert lines[-1].endswith("ocr-otel report runs/some-run")
    assert "\x1b" not in printed()


@pytest.mark.parametrize(("columns", "most"), [(60, 12), (80, 12), (200, 12)])
def test_a_terminal_gets_lines_that_fit(columns: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    lines = re.sub(r"\x1b\[[0-9;]*m", "", printed()).splitlines()
    assert len(lines) <= most
    # The first line is short enough for any usual terminal, and one of 60 columns breaks it by itself.
    assert all(len(line) <= columns for line in lines[1:])


LONG = Verdict(
    Bottleneck.DATA,
    0.5,
    "The training waited for data for half of the time, and one of its two workers was much slower than the other one.",
    "workers 2 → 6: two workers deliver a batch every 41 ms, and the training needs one every 12 ms; or cache images.",
    (Evidence("a batch of worker 1 of 2, in the mean of all kept batches", "41 ms of 80 ms", "worker spans"),),
    Confidence.HIGH,
)


@pytest.mark.parametrize("columns", [60, 80, 110])
def test_the_verdict_has_at_most_five_lines(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    out = io.StringIO()
    render_card(BUDGET, LONG, FACTS, out)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert len(lines) <= 12
    first, last = (next(i for i, line in enumerate(lines) if start in line) for start in ("Verdict", "├─"))
    assert last - first <= 5
    assert [line.split()[0] for line in lines[first:last] if line[2] != " "] == ["Verdict", "Why", "Try"]
    assert all(len(line) <= columns for line in lines[1:])


def test_it_says_why_and_how_much_could_be_won_at_most() -> None:
    out = io.StringIO()
    render_card(BUDGET, replace(LONG, evidence=(Evidence("fetch", "41 ms a batch", "phases"),)), FACTS, out)
    assert "  Why      fetch: 41 ms a batch; at most 2.0 times as fast without it" in out.getvalue().splitlines()
    out = io.StringIO()
    render_card(BUDGET, replace(LONG, kind=Bottleneck.NONE, evidence=()), FACTS, out)
    assert "Why" not in out.getvalue()


def test_where_a_cause_is_only_a_part_of_a_phase_it_is_not_called_the_cause() -> None:
    out = io.StringIO()
    render_card(BUDGET, replace(LONG, kind=Bottleneck.SYNCHRONIZATION), FACTS, out)
    assert "forward ← in here" in out.getvalue()
    assert "the cause" not in out.getvalue()


@pytest.mark.parametrize(
    ("waited", "marked"),
    [
        (40.0, "communication ← the cause"),
        # On a GPU the device exchanges gradients, while its host is in the backward pass.
        (0.0, "backward ← in here"),
        (5.0, "backward ← in here"),
    ],
)
def test_communication_is_marked_where_its_time_lies(waited: float, marked: str) -> None:
    phases = {Phase.FORWARD: 20.0, Phase.BACKWARD: 60.0 - waited, Phase.COMMUNICATION: waited}
    out = io.StringIO()
    verdict = replace(LONG, kind=Bottleneck.COMMUNICATION, share=0.4)
    render_card(TimeBudget(100.0, phases, batches=500), verdict, FACTS, out)
    (line,) = [line for line in out.getvalue().splitlines() if "←" in line]
    assert line.endswith(marked)


@pytest.mark.parametrize("columns", [60, 110])
def test_the_rank_that_holds_up_the_others_has_one_sentence(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    said = "Rank 3 arrived last at 92% of 400 steps, 41 ms after the others, for its fetch."
    out = io.StringIO()
    render_card(BUDGET, LONG, replace(FACTS, straggler=said), out)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert len(lines) <= 12
    assert len([line for line in lines if line.startswith("  Ranks    Rank 3 arrived last")]) == 1
    assert "Ranks " not in printed()


def test_a_small_cause_is_shown_too() -> None:
    phases = dict.fromkeys(Phase, 12.0) | {Phase.LOOP: 13.0}
    budget = TimeBudget(100.0, phases, 4.0, 0.0, 500)
    verdict = replace(verdict_on(budget) or pytest.fail("no verdict"), kind="validation")
    out = io.StringIO()
    render_card(budget, verdict, FACTS, out)
    assert "validation ← the cause" in out.getvalue()


def test_the_terminal_of_the_c_locale_gets_ascii() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    render_card(BUDGET, verdict_on(BUDGET), FACTS, out)
    out.flush()
    assert b"fetch < the cause" in raw.getvalue()


def test_a_run_without_a_directory_says_where_it_was_sent() -> None:
    assert "Sent     traces and metrics at collector:4317" in printed(
        facts=replace(FACTS, report_command="", destination="collector:4317")
    )


def test_an_entry_without_batches_has_no_tree() -> None:
    empty = TimeBudget(1.0, {})
    facts = replace(FACTS, batches=0, samples=0, batch_p50=0.0, goodput=None, time_to_first_batch=None)
    assert len(printed(empty, replace(facts, spans_lost=0, amp_skipped_steps=0)).splitlines()) == 2


def test_what_the_training_process_loads_is_little() -> None:
    code = f"import sys, {card.__name__}; print([n for n in ('jinja2', 'plotly', 'numpy', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.0, "0 ms"),
        (0.0000042, "4.2 µs"),
        (0.0000999, "0.0999 ms"),
        (0.0004, "0.4 ms"),
        (0.4362, "436 ms"),
        (0.9997, "1 s"),
        (16.29, "16.3 s"),
        (59.99, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 05 min"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
