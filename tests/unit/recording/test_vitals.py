"""What the watchdog of a process sees of its training."""

from __future__ import annotations

import os
from itertools import pairwise
from time import perf_counter_ns, sleep, time_ns

import psutil
import pytest
from opentelemetry import trace

from ocr_otel import semconv
from ocr_otel.recording import Recorder, journal
from ocr_otel.recording.background import INTERVAL_SECONDS
from ocr_otel.recording.contexts import FetchContext, TrainBatchContext
from ocr_otel.recording.journal import NullContext
from ocr_otel.recording.judgement import Judgement
from ocr_otel.semconv import Outcome, Section, Stage
from ocr_otel.watchdog.cells import Cell


def begin(recorder: Recorder) -> None:
    recorder.begin_entry(semconv.FIT, {}, (Stage.TRAIN,), lambda: 7, lambda epochs, wall, known: Judgement())


def section(recorder: Recorder) -> Section | None:
    number = recorder.session.cells[Cell.SECTION]
    return None if number < 0 else list(Section)[number]


@pytest.fixture
def recorder(memory) -> Recorder:
    return memory.recorder()


def test_the_sections_of_a_run_in_their_order(recorder: Recorder) -> None:
    seen = []
    begin(recorder)
    seen.append(section(recorder))
    recorder.begin_loop(Stage.TRAIN, 0, 2)
    seen.append(section(recorder))
    recorder.begin_loop(Stage.VALIDATE, 0, 1)
    seen.append(section(recorder))
    before = recorder.vitals.section(Section.CHECKPOINT)
    seen.append(section(recorder))
    recorder.vitals.back_to(before)
    seen.append(section(recorder))
    recorder.end_loop({})
    seen.append(section(recorder))
    recorder.end_loop({})
    seen.append(section(recorder))
    recorder.end_entry(Outcome.COMPLETED)
    seen.append(section(recorder))
    assert seen == [
        Section.SETUP, Section.TRAIN, Section.EVALUATE, Section.CHECKPOINT, Section.EVALUATE, Section.TRAIN,
        Section.BETWEEN, None,
    ]  # fmt: skip


def test_the_batch_that_runs_and_since_when(recorder: Recorder) -> None:
    cells = recorder.session.cells
    begin(recorder)
    assert cells[Cell.BATCH_BEGAN] == 0
    recorder.begin_loop(Stage.TRAIN, 3, 5)
    began = []
    fetch = FetchContext(recorder.path)
    batch = TrainBatchContext(recorder.path, lambda: recorder.path.batch_idx + 1, lambda: 1, NullContext(), pytest.fail)
    for index in range(3):
        before = perf_counter_ns()
        with fetch:
            assert cells[Cell.BATCH_IDX] == index
        with batch:
            pass
        began.append(cells[Cell.BATCH_BEGAN])
        assert before <= began[-1] <= perf_counter_ns()
    assert all(first < second for first, second in pairwise(began))
    assert (cells[Cell.EPOCH], cells[Cell.LOOP], cells[Cell.BATCHES]) == (3, 0, 5)
    recorder.path.close_batch(perf_counter_ns())
    assert cells[Cell.BATCH_BEGAN] == 0
    recorder.end_entry(Outcome.COMPLETED)


def test_a_loop_without_a_known_length(recorder: Recorder) -> None:
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, float("inf"))
    assert recorder.session.cells[Cell.BATCHES] == -1
    recorder.end_entry(Outcome.COMPLETED)


def test_a_module_that_fetches_in_its_step(recorder: Recorder) -> None:
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 2, fetched_in_step=True)
    recorder.path.due(0)
    cells = recorder.session.cells
    first = cells[Cell.BATCH_BEGAN]
    recorder.path.due(1)
    assert cells[Cell.BATCH_IDX] == 1
    assert 0 < first < cells[Cell.BATCH_BEGAN]
    recorder.end_entry(Outcome.COMPLETED)


def test_what_is_known_now_and_then(recorder: Recorder) -> None:
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 2)
    for _ in range(2):
        recorder.path.journal.write(perf_counter_ns(), journal.ROW_FETCH)
        recorder.path.batch_begins(0, None, 1)
        sleep(0.02)
    recorder.path.close_batch(perf_counter_ns())
    sleep(3 * INTERVAL_SECONDS)
    cells = recorder.session.cells
    assert cells[Cell.GLOBAL_STEP] == 7
    assert abs(cells[Cell.SEEN] - time_ns()) < 3 * INTERVAL_SECONDS * 1e9
    assert cells[Cell.RSS] == pytest.approx(psutil.Process(os.getpid()).memory_info().rss, rel=0.2)
    assert 20_000_000 <= cells[Cell.LONGEST_BATCH] < 1_000_000_000
    recorder.end_entry(Outcome.COMPLETED)


def test_where_recording_is_given_up_nothing_is_watched(recorder: Recorder) -> None:
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 2)
    recorder.begin_loop(Stage.VALIDATE, 0, 2)
    recorder.path.batch_begins(0, None, 1)
    assert trace.get_current_span().get_span_context().is_valid
    recorder.abandon()
    assert section(recorder) is None
    assert not trace.get_current_span().get_span_context().is_valid, "spans of the application would be children of it"
