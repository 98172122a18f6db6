"""What the journal says of one row, and of the work that dataloaders did."""

from __future__ import annotations

from time import perf_counter_ns, sleep

import pytest

from ocr_otel.recording import journal
from ocr_otel.recording.decoding import MAX_INTERVALS
from ocr_otel.recording.journal import Journal, TimedContext
from tests.support.journals import current

TIMING = (0, 1, 10, 20, 30, 4, None, None, 0)


def started() -> Journal:
    book = Journal()
    book.write(perf_counter_ns(), journal.ROW)
    return book


def test_time_of_nested_contexts_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000]
    monkeypatch.setattr(journal, "perf_counter_ns", lambda: now[0])
    book = Journal()
    book.write(now[0], journal.ROW)
    optimizer = TimedContext(book, journal.OPTIMIZER)
    forward = TimedContext(book, journal.FORWARD)
    callback = TimedContext(book, journal.CALLBACKS, "Callback")
    with optimizer:
        now[0] += 20
        with forward:
            now[0] += 400
            with callback:
                now[0] += 3_000
            now[0] += 50
    row = current(book, now[0])
    assert row.intervals == [(journal.FORWARD, 1_020, 4_470), (journal.OPTIMIZER, 1_000, 4_470)]
    assert row.parts[journal.OPTIMIZER] == 20
    assert row.parts[journal.FORWARD] == 450
    assert row.parts[journal.CALLBACKS] == 3_000
    assert sum(row.parts) == 3_470


def test_a_row_that_begins_with_the_wait_for_data_counts_it() -> None:
    book = Journal()
    fetch = TimedContext(book, journal.FETCH)
    book.write(100, journal.ROW_FETCH)
    fetch.__exit__(None, None, None)
    row = current(book, perf_counter_ns())
    assert row.start == 100
    ((part, start, end),) = row.intervals
    assert (part, start) == (journal.FETCH, 100)
    assert row.parts[journal.FETCH] == end - 100


def test_an_exception_passes_through_and_is_still_timed() -> None:
    book = started()
    with pytest.raises(ValueError, match="theirs"), TimedContext(book, journal.FORWARD):
        raise ValueError("theirs")
    assert current(book, perf_counter_ns()).parts[journal.FORWARD] > 0


def test_what_is_open_at_the_rows_end_ends_with_it() -> None:
    book = started()
    TimedContext(book, journal.FORWARD).__enter__()
    now = perf_counter_ns()
    row = current(book, now)
    assert [(part, end) for part, _, end in row.intervals] == [(journal.FORWARD, now)]


def test_more_intervals_than_there_is_room_for_keep_their_time() -> None:
    book = started()
    backward = TimedContext(book, journal.BACKWARD)
    for _ in range(MAX_INTERVALS + 5):
        with backward:
            pass
    before = current(book, perf_counter_ns())
    with backward:
        sleep(0.001)
    after = current(book, perf_counter_ns())
    assert len(before.intervals) == len(after.intervals) == MAX_INTERVALS
    assert after.parts[journal.BACKWARD] >= before.parts[journal.BACKWARD] + 1_000_000


def test_a_row_knows_whether_a_batch_is_in_it() -> None:
    book = started()
    assert current(book, perf_counter_ns()).mark == 0
    book.write(perf_counter_ns(), journal.BATCH)
    assert current(book, perf_counter_ns()).mark == journal.BATCH
    book.write(perf_counter_ns(), journal.ROW)
    assert current(book, perf_counter_ns()).mark == 0


def test_an_empty_fetch_is_no_batchs_and_two_loaders_work_is_one_batchs() -> None:
    book = started()
    book.arrived += [None, TIMING, TIMING, None, None, TIMING, None]
    with book.lock:
        assert book.cut(0, 5) == [[TIMING, TIMING], [TIMING]]
    assert book.arrived == []


def test_data_fetched_ahead_stays_for_its_batch() -> None:
    book = started()
    book.arrived += [TIMING, None, TIMING, None]
    with book.lock:
        assert book.cut(0, 1) == [[TIMING]]
    assert book.arrived == [TIMING, None]
