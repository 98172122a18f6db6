"""Nested contexts take their own time alone."""

from time import sleep

from ocr_otel.recording import clock
from ocr_otel.recording.clock import MAX_INTERVALS, BatchClock, HookContext, PhaseContext


def test_time_of_nested_contexts_is_counted_once() -> None:
    record = BatchClock()
    optimizer = PhaseContext(record, clock.OPTIMIZER)
    forward = PhaseContext(record, clock.FORWARD)
    callback = HookContext(record, clock.CALLBACKS, "Callback")
    with optimizer:
        sleep(0.002)
        with forward:
            sleep(0.004)
            with callback:
                sleep(0.003)
    _, start, end = record.intervals[3:6]
    assert record.intervals[3] == clock.OPTIMIZER
    total = sum(record.exclusive)
    assert abs(total - (end - start)) < 100_000
    assert 2_000_000 <= record.exclusive[clock.OPTIMIZER] < 4_000_000
    assert 4_000_000 <= record.exclusive[clock.FORWARD] < 6_000_000
    assert record.exclusive[clock.CALLBACKS] == callback.total >= 3_000_000


def test_an_exception_passes_through_and_is_still_timed() -> None:
    record = BatchClock()
    try:
        with PhaseContext(record, clock.FORWARD):
            raise ValueError
    except ValueError:
        pass
    assert record.exclusive[clock.FORWARD] > 0


def test_more_intervals_than_there_is_room_for_keep_their_time() -> None:
    record = BatchClock()
    backward = PhaseContext(record, clock.BACKWARD)
    for _ in range(MAX_INTERVALS + 5):
        with backward:
            pass
    assert record.used == 3 * MAX_INTERVALS
    before = record.exclusive[clock.BACKWARD]
    with backward:
        sleep(0.001)
    assert record.exclusive[clock.BACKWARD] >= before + 1_000_000


def test_a_reset_begins_anew() -> None:
    record = BatchClock()
    with PhaseContext(record, clock.FETCH):
        pass
    record.reset()
    assert record.used == 0
    assert sum(record.exclusive) == 0
