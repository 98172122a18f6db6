"""What is said of a training that is gone, from what it left."""

from __future__ import annotations

import time
from array import array
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.semconv import EndCause, Section, Stage
from ocr_otel.watchdog.batch_ids import batch_span_id, batch_trace_id
from ocr_otel.watchdog.cells import Cell, private_cells
from ocr_otel.watchdog.closing import Closing, close
from ocr_otel.watchdog.ending import End
from ocr_otel.watchdog.journal import Journal
from tests.support.watchdog_watching import attributes, named

NOW = 2_000_000_000_000_000_000
BEGAN = NOW - 10_000_000_000
TRACE = "a" * 32
KILLED = End(EndCause.SIGNAL, "killed by SIGKILL", "SIGKILL")


def span(name: str, span_id: str, parent: str = "", **more: Any) -> dict[str, Any]:
    made = {"traceId": TRACE, "spanId": span_id, "name": name, "startTimeUnixNano": str(BEGAN), **more}
    return made | ({"parentSpanId": parent} if parent else {})


def journal(*spans: dict[str, Any], **header: Any) -> Journal:
    return Journal({"run_id": "made", "rank": 3, **header}, {each["spanId"]: each for each in spans})


def cells(section: Section | None = Section.TRAIN, **values: int) -> array[int]:
    made = private_cells()
    made[Cell.OFFSET] = 1_000
    made[Cell.SECTION] = -1 if section is None else list(Section).index(section)
    made[Cell.SECTION_BEGAN] = BEGAN - 3_000
    made[Cell.BATCH_BEGAN] = BEGAN - 2_000
    made[Cell.BATCH_IDX], made[Cell.BATCHES] = 4, 10
    made[Cell.EPOCH], made[Cell.LOOP], made[Cell.ENTRY], made[Cell.GLOBAL_STEP] = 1, 5, 2, 14
    for name, value in values.items():
        made[Cell[name]] = value
    return made


FIT = span("fit", "f1")
OPEN = (FIT, span("train_epoch", "e1", "f1"))


def test_without_an_open_span_nothing_is_said() -> None:
    assert close(journal(), cells(), KILLED, NOW) == Closing([], [])


def test_what_is_over_is_said_unchanged_and_is_no_killed_run() -> None:
    over = span("fit", "f1", endTimeUnixNano=str(BEGAN + 5))
    assert close(journal(over), cells(), KILLED, NOW) == Closing([over], [])


def test_a_span_never_ends_before_it_begins() -> None:
    closed = close(journal(FIT), cells(None), KILLED, BEGAN - 7)
    assert closed.spans[0]["endTimeUnixNano"] == str(BEGAN)


def test_an_attribute_that_is_there_already_is_replaced() -> None:
    before = [{"key": semconv.EPOCH, "value": {"intValue": "0"}}, {"key": "mine", "value": {"boolValue": True}}]
    closed = close(journal(span("fit", "f1", attributes=before)), cells(), KILLED, NOW)
    found = named(closed.spans, "fit")["attributes"]
    assert [each["value"] for each in found if each["key"] == semconv.EPOCH] == [{"intValue": "1"}]
    assert attributes({"attributes": found})["mine"] is True


@pytest.mark.parametrize("entry", ["fit", "validate", "test", "predict"])
def test_each_kind_of_entry_says_how_it_came_out(entry: str) -> None:
    # Also inside a span of the application.
    told = attributes(close(journal(span(entry, "f1", "99")), cells(), KILLED, NOW).spans[0])
    assert told[semconv.OUTCOME] == "killed"
    assert told[semconv.GLOBAL_STEP] == 14


def test_before_the_first_loop_no_batch_and_no_epoch_is_told() -> None:
    told = attributes(close(journal(FIT), cells(Section.SETUP), KILLED, NOW).spans[0])
    assert told[semconv.SECTION] == "setup"
    assert semconv.EPOCH not in told
    assert semconv.BATCH_IDX not in told


def test_lost_numbers_are_not_told() -> None:
    closed = close(journal(*OPEN), private_cells(), KILLED, NOW)
    assert [each["name"] for each in closed.spans] == ["fit", "train_epoch"]
    assert set(attributes(closed.spans[0])) == {
        semconv.OUTCOME,
        semconv.END_CAUSE,
        semconv.END_SIGNAL,
        semconv.END_SUMMARY,
    }


@pytest.mark.parametrize("number", [-1, -5, 5, 99, 2**62])
def test_numbers_that_are_none_of_ours_are_taken_for_none(number: int) -> None:
    closed = close(journal(*OPEN), cells(SECTION=number), KILLED, NOW)
    assert [each["name"] for each in closed.spans] == ["fit", "train_epoch"]
    close(journal(*OPEN), cells(STAGE=number), KILLED, NOW)


def test_the_batch_that_ran_has_the_ids_that_all_ranks_give_it() -> None:
    batch = named(close(journal(*OPEN), cells(), KILLED, NOW).spans, semconv.TRAIN_BATCH)
    trace_id = batch_trace_id("made", 2, 5, 0, 4)
    assert (batch["traceId"], batch["spanId"]) == (f"{trace_id:032x}", f"{batch_span_id(trace_id, 3):016x}")
    assert batch["startTimeUnixNano"] == str(BEGAN - 1_000)
    assert batch["links"][0]["spanId"] == "e1"
    assert "parentSpanId" not in batch


@pytest.mark.parametrize(
    ("stage", "name", "spans", "link"),
    [
        (Stage.TRAIN, "train_batch", OPEN, "e1"),
        (Stage.VALIDATE, "validation_batch", (*OPEN, span("validation", "v1", "e1")), "v1"),
        (Stage.VALIDATE, "validation_batch", (span("validate", "v2"),), "v2"),
        (Stage.SANITY_CHECK, "validation_batch", (FIT, span("sanity_check", "s1", "f1")), "s1"),
        (Stage.TEST, "test_batch", (span("test", "t1"),), "t1"),
        (Stage.PREDICT, "predict_batch", (span("predict", "p1"),), "p1"),
        (Stage.TRAIN, "train_batch", (FIT,), None),
    ],
)
def test_a_batch_is_linked_to_the_span_of_its_loop(stage: Stage, name: str, spans: Any, link: str | None) -> None:
    section = Section.TRAIN if stage is Stage.TRAIN else Section.EVALUATE
    batch = named(close(journal(*spans), cells(section, STAGE=list(Stage).index(stage)), KILLED, NOW).spans, name)
    assert [each["spanId"] for each in batch.get("links", ())] == ([link] if link else [])
    assert attributes(batch)[semconv.STAGE] == stage


@pytest.mark.parametrize(
    "changed",
    [{"BATCH_BEGAN": 0}, {"BATCH_IDX": 10}, {"BATCH_IDX": -1}, {"section": Section.BETWEEN}, {"section": None}],
    ids=str,
)
def test_between_batches_and_behind_the_last_no_batch_ran(changed: dict[str, Any]) -> None:
    closed = close(journal(*OPEN), cells(**changed), KILLED, NOW)
    assert [each["name"] for each in closed.spans] == ["fit", "train_epoch"]


def test_where_the_number_of_batches_is_unknown_any_batch_may_run() -> None:
    closed = close(journal(*OPEN), cells(BATCHES=-1, BATCH_IDX=10**6), KILLED, NOW)
    assert attributes(named(closed.spans, "train_batch"))[semconv.BATCH_IDX] == 10**6


def test_a_checkpoint_is_the_child_of_the_innermost_open_span() -> None:
    over = span("validation", "v1", "e1", endTimeUnixNano=str(NOW))
    closed = close(journal(*OPEN, over), cells(Section.CHECKPOINT), KILLED, NOW)
    checkpoint = named(closed.spans, semconv.CHECKPOINT_SAVE)
    assert (checkpoint["traceId"], checkpoint["parentSpanId"]) == (TRACE, "e1")
    assert checkpoint["startTimeUnixNano"] == str(BEGAN - 2_000)
    assert len(checkpoint["spanId"]) == 16


def test_a_span_without_what_a_span_needs_is_left_out() -> None:
    broken = {"spanId": "b1", "name": "fit"}
    assert close(Journal({}, {"b1": broken}), cells(), KILLED, NOW) == Closing([], [])


def test_how_it_ended_is_on_every_span() -> None:
    out = End(EndCause.EXIT, "exited with code 3", exit_code=3)
    for each in close(journal(*OPEN), cells(), out, NOW).spans:
        told = attributes(each)
        assert (told[semconv.END_CAUSE], told[semconv.END_EXIT_CODE]) == ("exit", 3)
        assert each["status"] == {"code": 2, "message": "exited with code 3"}


def test_the_counter_begins_with_the_process() -> None:
    started = time.time_ns()
    (_, runs) = close(journal(*OPEN, started_unix_nano=started), cells(), KILLED, started + 5).metrics
    (point,) = runs["sum"]["dataPoints"]
    assert (point["startTimeUnixNano"], point["timeUnixNano"]) == (str(started), str(started + 5))
