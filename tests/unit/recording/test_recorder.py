"""Long runs: progress spans inside a long epoch, linked segments of a long run trace, and a bounded number of spans."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from threading import current_thread, main_thread
from time import monotonic, perf_counter_ns, sleep
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan

from ocr_otel import semconv
from ocr_otel.recording import Recorder, batch_trace, journal
from ocr_otel.recording.background import INTERVAL_SECONDS
from ocr_otel.recording.contexts import FetchContext, TrainBatchContext
from ocr_otel.recording.journal import NullContext, TimedContext
from ocr_otel.recording.judgement import Judgement
from ocr_otel.recording.run_trace import HEADROOM
from ocr_otel.recording.sampling import MAX_TRACE_SPANS
from ocr_otel.semconv import Outcome, Stage

MS = 1_000_000


def begin(recorder: Recorder, global_step: Callable[[], int] = lambda: 5) -> None:
    recorder.begin_entry(
        semconv.FIT, {"training.config.x": 1}, (Stage.TRAIN,), global_step, lambda epochs, wall, known: Judgement()
    )


def batch(recorder: Recorder, index: int, seconds: float = 0.0) -> None:
    with FetchContext(recorder.path):
        pass
    recorder.path.batch_begins(index, None, 4)
    sleep(seconds)


def test_the_run_can_be_found_while_it_goes_on(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    assert [span.name for span in memory.exporter.get_finished_spans()] == [semconv.FIT_START]
    recorder.end_entry(Outcome.COMPLETED)
    assert memory.named(semconv.FIT)


def test_a_long_epoch_is_reported_in_parts(memory) -> None:
    recorder = memory.recorder(progress_ns=20 * MS)
    begin(recorder)
    began = time.perf_counter_ns()
    recorder.begin_loop(Stage.TRAIN, 0, 40)
    for index in range(40):
        batch(recorder, index, 0.002)
    took = time.perf_counter_ns() - began
    parts = memory.named(semconv.TRAIN_EPOCH_PROGRESS)
    recorder.end_entry(Outcome.COMPLETED)
    assert 2 <= len(parts) <= took / (20 * MS)
    (epoch,) = memory.named(semconv.TRAIN_EPOCH)
    assert all(part.parent.span_id == epoch.context.span_id for part in parts)
    assert all(part.links[0].context.span_id == epoch.context.span_id for part in parts)
    assert sum(part.attributes[semconv.BATCHES] for part in parts) <= epoch.attributes[semconv.BATCHES] == 40
    assert all(first.end_time <= second.start_time + 3 * MS for first, second in itertools.pairwise(parts))


def test_a_run_of_many_epochs_continues_in_linked_traces(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    epochs = 3 * MAX_TRACE_SPANS // 2
    for epoch in range(epochs):
        recorder.begin_loop(Stage.TRAIN, epoch, 1)
        recorder.begin_loop(Stage.VALIDATE, epoch, 1)
        recorder.end_loop({})
        recorder.end_loop({})
    recorder.end_entry(Outcome.COMPLETED)
    (root,) = memory.named(semconv.FIT)
    segments = memory.named(semconv.FIT_SEGMENT)
    assert len(segments) == 2 * epochs // (MAX_TRACE_SPANS - HEADROOM)
    assert {segment.links[0].context.span_id for segment in segments} == {root.context.span_id}
    assert [segment.links[1].context.span_id for segment in segments[1:]] == [
        segment.context.span_id for segment in segments[:-1]
    ]
    by_trace: dict[int, int] = {}
    for span in memory.exporter.get_finished_spans():
        by_trace[span.context.trace_id] = by_trace.get(span.context.trace_id, 0) + 1
    assert len(by_trace) == 1 + len(segments)
    assert max(by_trace.values()) <= MAX_TRACE_SPANS
    assert len(memory.named(semconv.TRAIN_EPOCH)) == epochs


def test_checkpoints_beyond_the_room_of_a_trace_are_counted_but_not_traced(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 10)
    for _ in range(MAX_TRACE_SPANS + 50):
        now = perf_counter_ns()
        recorder.checkpoints.saved(now, now + MS, "last.ckpt", 10)
    recorder.end_entry(Outcome.COMPLETED)
    assert len(memory.exporter.get_finished_spans()) <= MAX_TRACE_SPANS
    (epoch,) = memory.named(semconv.TRAIN_EPOCH)
    assert epoch.end_time is not None


def test_a_slow_batch_is_kept_even_when_not_regular(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 100_000)
    for index in range(1, 40):
        batch(recorder, 10 * index + 3, 0.012 if index == 30 else 0.001)
    recorder.end_entry(Outcome.COMPLETED)
    slow = [span for span in memory.named(semconv.TRAIN_BATCH) if span.attributes[semconv.KEPT] == "slow"]
    assert 303 in [span.attributes[semconv.BATCH_IDX] for span in slow]
    (epoch,) = memory.named(semconv.TRAIN_EPOCH)
    # Of the slow ones, of which a busy machine makes more, the slowest are linked.
    slowest = max(slow, key=lambda span: span.end_time - span.start_time)
    assert slowest.context.span_id in {link.context.span_id for link in epoch.links}


def test_a_fetch_that_finds_the_end_is_no_batch(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, float("inf"))
    batch(recorder, 0)
    with FetchContext(recorder.path):
        pass
    summary = recorder.end_loop({})
    assert summary is not None
    assert summary.batches == 1
    recorder.end_entry(Outcome.COMPLETED)


def test_a_second_entry_starts_from_nothing(memory) -> None:
    recorder = memory.recorder()
    for _ in range(2):
        begin(recorder)
        recorder.begin_loop(Stage.TRAIN, 0, 5)
        for index in range(5):
            batch(recorder, index)
        recorder.end_entry(Outcome.COMPLETED)
    first, second = memory.named(semconv.FIT)
    assert first.attributes[semconv.BATCHES] == second.attributes[semconv.BATCHES] == 5
    traces = {span.context.trace_id for span in memory.named(semconv.TRAIN_BATCH)}
    assert len(traces) == 10


def test_callbacks_between_batches_are_callbacks_of_the_epoch_and_not_nameless(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 2)
    between = TimedContext(recorder.path.journal, journal.CALLBACKS, "ModelCheckpoint")
    batch(recorder, 0)
    batch(recorder, 1)
    recorder.path.close_batch(perf_counter_ns())
    with between:
        sleep(0.1)
    recorder.begin_loop(Stage.VALIDATE, 0, 1)
    with between:
        sleep(0.05)
    recorder.end_loop({})
    with between:
        sleep(0.1)
    recorder.end_entry(Outcome.COMPLETED)
    (epoch,) = memory.named(semconv.TRAIN_EPOCH)
    (validation,) = memory.named(semconv.VALIDATION)
    name = semconv.CALLBACKS_BETWEEN
    assert 0.2 <= epoch.attributes[name] < 0.25
    assert 0.05 <= validation.attributes[name] < 0.1
    assert epoch.attributes[semconv.SLOWEST_CALLBACK] == "ModelCheckpoint"
    assert epoch.attributes[semconv.BATCH_MAX] < 0.1


def test_data_fetched_ahead_of_a_validation_belongs_to_the_training_batch_after_it(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 10)
    path = recorder.path

    waiting = FetchContext(path)

    def fetch(worker: int) -> None:
        with waiting:
            now = perf_counter_ns()
            path.journal.arrived.append((worker, 1, now, now, now, 4, None, None, 0))

    now = perf_counter_ns()
    path.journal.arrived.append((10, 1, now, now, now, 4, None, None, 0))  # before the loop, and not told as a fetch
    fetch(11)
    path.batch_begins(0, None, 4)
    path.interrupted(perf_counter_ns())
    recorder.begin_loop(Stage.VALIDATE, 0, 1)
    fetch(20)
    path.batch_begins(0, None, 4)
    recorder.end_loop({})
    fetch(12)
    path.batch_begins(1, None, 4)
    recorder.end_entry(Outcome.COMPLETED)
    workers = {
        (root.name, root.attributes[semconv.BATCH_IDX]): [
            span.attributes[semconv.WORKER_ID]
            for span in memory.named(semconv.WORKER)
            if span.parent.span_id == root.context.span_id
        ]
        for root in memory.named(semconv.TRAIN_BATCH) + memory.named(semconv.VALIDATION_BATCH)
    }
    assert workers == {
        (semconv.TRAIN_BATCH, 0): [10],
        (semconv.VALIDATION_BATCH, 0): [20],
        (semconv.TRAIN_BATCH, 1): [11],
    }


def test_what_noting_a_batch_costs_is_no_batchs_time(memory) -> None:
    recorder = memory.recorder()
    begin(recorder, lambda: sleep(0.02) or 5)
    recorder.begin_loop(Stage.TRAIN, 0, 3)
    for index in range(3):
        batch(recorder, index)
    summary = recorder.end_loop({})
    assert summary is not None
    assert summary.batches == 3
    assert summary.longest < 0.02
    assert summary.wall >= 0.04
    recorder.end_entry(Outcome.COMPLETED)


def test_traces_are_made_while_the_epoch_goes_on_and_by_another_thread(memory, monkeypatch) -> None:
    threads = []
    emit = batch_trace.emit
    monkeypatch.setattr(batch_trace, "emit", lambda *what: threads.append(current_thread()) or emit(*what))
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 10)
    for index in range(4):
        batch(recorder, index)
    sleep(2 * INTERVAL_SECONDS)
    # The last one still runs.
    assert [span.attributes[semconv.BATCH_IDX] for span in memory.named(semconv.TRAIN_BATCH)] == [0, 1, 2]
    assert main_thread() not in threads
    recorder.end_entry(Outcome.COMPLETED)
    assert len(memory.named(semconv.TRAIN_BATCH)) == 4
    assert threads[3] is main_thread()


def test_a_trace_that_cannot_be_made_is_counted_and_the_others_are_made(memory, monkeypatch, caplog) -> None:
    emit = batch_trace.emit
    failing = iter([True, True])
    monkeypatch.setattr(batch_trace, "emit", lambda *what: 1 // 0 if next(failing, False) else emit(*what))
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 10)
    for index in range(6):
        batch(recorder, index)
    summary = recorder.end_loop({})
    recorder.end_entry(Outcome.COMPLETED)
    assert summary is not None
    assert summary.batches == 6
    assert len(memory.named(semconv.TRAIN_BATCH)) == 4
    (said,) = [record.message for record in caplog.records]
    assert "batch_trace" in said
    assert "ZeroDivisionError" in said
    assert recorder.instruments._errors == {"batch_trace": 2}


def test_samples_are_counted_until_the_dataloader_is_known_to_tell_them(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 1000)
    counted: list[int] = []
    path = recorder.path
    running = 0
    waiting = FetchContext(path)

    def samples() -> int:
        counted.append(running)
        return 4 if running < 500 else 5

    context = TrainBatchContext(path, lambda: running, samples, NullContext(), lambda cause, error: None)
    for running in range(1000):
        if running == 700:
            # The drain looks several times a second, unless others have the machine.
            deadline = monotonic() + 20
            while path.loop is not None and not path.loop.counted and monotonic() < deadline:
                sleep(INTERVAL_SECONDS / 5)
        with waiting:
            path.journal.arrived.append((0, 1, 1, 2, 3, 4, None, None, 0))
        with context:
            pass
    summary = recorder.end_loop({})
    assert summary is not None
    # Agreement is found at the first drain; from then on only batches that are kept are counted.
    assert 20 < len([index for index in counted if index < 500]) < 150
    # The disagreement from batch 500 on is found without further batches, by those that are kept; then each is counted.
    assert counted[-298:] == list(range(702, 1000))
    assert 500 * 4 + 200 * 4 + 298 * 5 < summary.samples < 500 * 4 + 500 * 5
    recorder.end_entry(Outcome.COMPLETED)


def test_a_failure_of_ours_at_a_batchs_start_stays_with_us(memory) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 10)
    failures: list[str] = []
    context = TrainBatchContext(
        recorder.path, lambda: 0, lambda: 1 // 0, NullContext(), lambda cause, error: failures.append(cause)
    )
    with FetchContext(recorder.path):
        pass
    with context:
        pass
    assert failures == ["batch_start"]
    recorder.end_entry(Outcome.COMPLETED)


class Failing:
    """Surroundings that cannot be told."""

    settle_ns = 0

    def _fail(self, *asked: object) -> dict[str, object]:
        raise OSError("unreadable")

    of_loop = of_slow_batch = epoch_ended = of_entry = _fail

    def cpu_ns(self) -> int:
        return 0


def test_surroundings_that_fail_take_nothing_else_from_the_recording(memory, caplog) -> None:
    recorder = memory.recorder()
    recorder.begin_entry(semconv.FIT, {}, (Stage.TRAIN,), lambda: 5, lambda epochs, wall, known: Judgement(), Failing())
    recorder.begin_loop(Stage.TRAIN, 0, 5)
    for index in range(5):
        batch(recorder, index)
    recorder.end_loop({})
    recorder.end_entry(Outcome.COMPLETED)
    (epoch,) = memory.named(semconv.TRAIN_EPOCH)
    (fit,) = memory.named(semconv.FIT)
    assert epoch.attributes[semconv.BATCHES] == fit.attributes[semconv.BATCHES] == 5
    (said,) = [record.message for record in caplog.records]
    assert "unreadable" in said
    # By the epoch twice, and twice by the entry: for its verdict and for itself.
    assert recorder.instruments._errors == {"surroundings": 4}


class Unsettled:
    """Surroundings that tell what was different in a slow batch much later."""

    settle_ns = 3_600 * 10**9

    def _nothing(self, *asked: object) -> dict[str, object]:
        return {}

    of_loop = of_slow_batch = epoch_ended = of_entry = _nothing

    def cpu_ns(self) -> int:
        return 0


def test_batches_behind_a_slow_one_do_not_wait_for_what_it_waits_for(memory) -> None:
    recorder = memory.recorder()
    recorder.begin_entry(
        semconv.FIT, {}, (Stage.TRAIN,), lambda: 5, lambda epochs, wall, known: Judgement(), Unsettled()
    )
    recorder.begin_loop(Stage.TRAIN, 0, 400)
    slow, regular = 21, 30
    for index in range(regular + 2):
        batch(recorder, index, 0.05 if index == slow else 0.0)
    recorder._drain.take()
    recorder._drain.make(beside=True)
    kept = [span.attributes[semconv.BATCH_IDX] for span in memory.named(semconv.TRAIN_BATCH)]
    assert regular in kept
    assert slow not in kept
    recorder.end_entry(Outcome.COMPLETED)
    assert slow in [span.attributes[semconv.BATCH_IDX] for span in memory.named(semconv.TRAIN_BATCH)]


def test_noting_a_slow_batch_does_not_look_for_what_the_process_is(memory, monkeypatch) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 400)
    noted: list[ReadableSpan] = []
    monkeypatch.setattr(recorder._drain._session, "note", noted.append)
    monkeypatch.setattr(Resource, "create", failing)
    for index in range(23):
        batch(recorder, index, 0.05 if index == 21 else 0.0)
    recorder._drain.take()
    assert 21 in [(span.attributes or {})[semconv.BATCH_IDX] for span in noted]
    recorder.end_entry(Outcome.COMPLETED)


def failing(*what: object) -> Any:
    raise RuntimeError("planted")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("part", ["close_batch", "catch_up", "loop_runs", "summary"])
def test_a_loop_whose_end_fails_is_over_and_the_entry_ends(memory, monkeypatch, part: str) -> None:
    recorder = memory.recorder()
    begin(recorder)
    for stage in (Stage.TRAIN, Stage.VALIDATE):
        recorder.begin_loop(stage, 0, 5)
        batch(recorder, 0)
    owners = {
        "close_batch": type(recorder.path),
        "catch_up": recorder._drain,
        "loop_runs": recorder.vitals,
        "summary": type(recorder.path.loop),
    }
    with monkeypatch.context() as planted:
        planted.setattr(owners[part], part, failing)
        for stage in (Stage.VALIDATE, Stage.TRAIN):
            assert recorder.path.loop.stage is stage
            with pytest.raises(RuntimeError, match="planted"):
                recorder.end_loop({})
    assert recorder.path.loop is None
    # What the application makes now is a child of the entry.
    assert trace.get_current_span().get_span_context() == recorder._run.root.get_span_context()
    recorder.end_entry(Outcome.COMPLETED)
    assert [len(memory.named(name)) for name in (semconv.TRAIN_EPOCH, semconv.VALIDATION, semconv.FIT)] == [1, 1, 1]
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 5)
    batch(recorder, 0)
    summary = recorder.end_loop({})
    assert summary is not None
    assert summary.batches == 1
    recorder.end_entry(Outcome.COMPLETED)


@pytest.mark.parametrize("failed", [True, False])
def test_an_entry_whose_end_was_broken_off_has_the_status_of_the_training(memory, monkeypatch, failed: bool) -> None:
    recorder = memory.recorder()
    begin(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 3)

    def interrupted(*_: object) -> None:
        # As what a signal handler raises in the middle of it.
        raise RuntimeError("connection reset by peer")

    monkeypatch.setattr(recorder._run, "end", interrupted)
    with pytest.raises(RuntimeError):
        recorder.end_entry(Outcome.FAILED if failed else Outcome.COMPLETED)
    recorder.abandon(failed)
    (root,) = memory.named(semconv.FIT)
    assert (root.status.status_code is trace.StatusCode.ERROR) is failed
