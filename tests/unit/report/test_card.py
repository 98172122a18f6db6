"""The card in the terminal: what it says, how long it is, and where it can be printed."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from ocr_otel.diagnosis import TimeBudget, diagnose
from ocr_otel.report import card
from ocr_otel.report.card import CardFacts, duration, render_card
from ocr_otel.semconv import Phase

FACTS = CardFacts(
    "fit", "completed", 100.0, 500, 4000, 3, 0.1, 0.15, 0.4, 2.0, None, 2, 7, "files", "ocr-otel report runs/some-run"
)
BUDGET = TimeBudget(100.0, dict.fromkeys(Phase, 5.0) | {Phase.FETCH: 50.0}, 3.0, 2.0, 500)


def printed(budget: TimeBudget = BUDGET, facts: CardFacts = FACTS) -> str:
    out = io.StringIO()
    render_card(budget, diagnose(budget), facts, out)
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


def test_a_small_cause_is_shown_too() -> None:
    phases = dict.fromkeys(Phase, 12.0) | {Phase.LOOP: 13.0}
    budget = TimeBudget(100.0, phases, 4.0, 0.0, 500)
    verdict = replace(diagnose(budget) or pytest.fail("no verdict"), kind="validation")
    out = io.StringIO()
    render_card(budget, verdict, FACTS, out)
    assert "validation ← the cause" in out.getvalue()


def test_the_terminal_of_the_c_locale_gets_ascii() -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    render_card(BUDGET, diagnose(BUDGET), FACTS, out)
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
