"""The place where a validation interrupts the training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.recording import Recorder
from ocr_otel.recording.judgement import Judgement
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.training.validation_seam import ValidationSeam


class Loop:
    """Lightning's loop of validations."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work

    def run(self) -> str:
        self._work()
        return "outputs"


@pytest.fixture
def recorder(memory) -> Iterator[Recorder]:
    recorder = memory.recorder()
    recorder.begin_entry(semconv.FIT, {}, (Stage.TRAIN,), lambda: 0, lambda epochs, wall, known: Judgement())
    yield recorder
    recorder.end_entry(Outcome.COMPLETED)


def seam_on(loop: Loop, recorder: Recorder) -> ValidationSeam:
    trainer: Any = SimpleNamespace(fit_loop=SimpleNamespace(epoch_loop=SimpleNamespace(val_loop=loop)))
    return ValidationSeam(trainer, recorder.path)


def test_a_validation_begins_where_lightning_turns_to_it(recorder: Recorder, memory) -> None:
    starts: list[int] = []

    def work() -> None:
        starts.append(recorder.path.interrupted_at)
        recorder.begin_loop(Stage.VALIDATE, 0, 1)
        assert recorder.path.interrupted_at == 0
        recorder.end_loop({})

    loop = Loop(work)
    seam = seam_on(loop, recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 5)
    before = perf_counter_ns()
    assert loop.run() == "outputs"
    assert loop.run() == "outputs"
    # Each of its own time: what was noted for the first one is no start of the second.
    assert before < starts[0] < starts[1]
    spans = sorted(memory.named(semconv.VALIDATION), key=lambda span: span.start_time)
    assert spans[0].end_time <= spans[1].start_time
    seam.remove()
    assert "run" not in vars(loop)


def test_a_validation_without_batches_leaves_the_training_its_data(recorder: Recorder) -> None:
    ahead: Any = (0, 1, 1, 2, 3, 4, None, None, 0)
    loop = Loop(lambda: None)
    seam_on(loop, recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 5)
    recorder.path.journal.arrived.append(ahead)
    loop.run()
    assert recorder.path.journal.arrived == [ahead]
    assert recorder.path.interrupted_at == 0


def test_the_sanity_check_interrupts_nothing(recorder: Recorder) -> None:
    loop = Loop(lambda: None)
    seam_on(loop, recorder)
    loop.run()
    assert recorder.path.interrupted_at == 0
