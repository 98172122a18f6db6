"""Who asks for a window gets one, told by the batches of a real recording and a real profiler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ocr_otel import semconv
from ocr_otel.profiling.requests import Progress, Request, State
from ocr_otel.profiling.windows import results
from ocr_otel.profiling.windows.controller import ENDED, NOT_ON_DEMAND, WindowController
from ocr_otel.profiling.windows.shutter import OTHER_PROFILER
from ocr_otel.recording import Judgement, Recorder
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.settings import Settings
from ocr_otel.telemetry.patience import Patience
from tests.unit.conftest import Memory

BATCHES = 20
BOUND = 2.0


class Surface:
    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.own_profiler = False

    def ranges(self, on: bool) -> None:
        self.calls.append(on)

    def profiled_by_user(self) -> bool:
        return self.own_profiler


class Training:
    """Epochs of batches that multiply a matrix, as the batch path tells of them."""

    def __init__(self, memory: Memory, folder: Path, **settings: object) -> None:
        self.settings = Settings(runs_dir=folder, profile_warmup=0, **settings)  # type: ignore[arg-type]
        self.recorder: Recorder = memory.recorder()
        self.surface = Surface()
        self.failures: list[str] = []
        self.recorder.begin_entry("fit", {}, (Stage.TRAIN,), lambda: 0, lambda *_: Judgement())
        self.controller = WindowController(
            self.recorder,
            self.settings,
            self.surface,
            lambda *_: Judgement(),
            lambda cause, _: self.failures.append(cause),
        )
        self.recorder.path.watcher = self.controller
        self.epoch = -1

    def run(self, batches: int, at: Callable[[int], None] = lambda number: None) -> None:
        """Train an epoch; `at` is called inside each batch with its index."""
        self.epoch += 1
        self.recorder.begin_loop(Stage.TRAIN, self.epoch, BATCHES)
        loop = self.recorder.path.loop
        assert loop is not None
        for number in range(batches):
            began = time.perf_counter_ns()
            self.recorder.path.batch_idx = number
            at(number)
            torch.ones(8, 8) @ torch.ones(8, 8)
            self.controller.batch_ended(loop, number, began, time.perf_counter_ns())
        self.recorder.end_loop({})

    def end(self) -> None:
        self.controller.finish()
        self.recorder.end_entry(Outcome.COMPLETED)


class Asker:
    """Asks, and keeps what it is told."""

    def __init__(self, training: Training, request: Request) -> None:
        self.told: list[Progress] = []
        self.over = threading.Event()
        training.controller.ask(request, self._tell)

    def _tell(self, progress: Progress) -> None:
        self.told.append(progress)
        if progress.over:
            self.over.set()

    @property
    def last(self) -> Progress:
        assert self.over.wait(60)
        return self.told[-1]


@pytest.fixture
def training(memory: Memory, tmp_path: Path) -> Iterator[Training]:
    made = Training(memory, tmp_path)
    yield made
    assert made.failures == []


def first_batches(memory: Memory) -> list[object]:
    return [span.attributes.get(semconv.PROFILE_FIRST_BATCH) for span in memory.named(semconv.PROFILE)]  # type: ignore[union-attr]


def test_a_window_opens_after_the_batch_in_which_it_is_asked_for(training: Training, memory: Memory) -> None:
    asked: list[Asker] = []
    training.run(BATCHES, lambda number: asked.append(Asker(training, Request(batches=2))) if number == 5 else None)
    training.end()
    answer = asked[0].last
    assert (answer.state, answer.batches) == (State.DONE, 2)
    assert Path(answer.trace).exists()
    assert first_batches(memory) == [6]
    states = [progress.state for progress in asked[0].told]
    assert states == [State.WAITING, State.OPEN, State.OPEN, State.OPEN, State.ANALYSING, State.DONE]
    assert training.surface.calls == [True, False]


def test_ten_who_ask_get_one_window(training: Training, memory: Memory) -> None:
    askers: list[Asker] = []
    training.run(BATCHES, lambda number: askers.append(Asker(training, Request())) if number < 10 else None)
    training.end()
    assert len({asker.last.trace for asker in askers}) == 1
    assert len(first_batches(memory)) == 1


def test_a_step_that_is_named_is_the_one_at_which_it_opens(training: Training, memory: Memory) -> None:
    training.run(BATCHES)
    asker = Asker(training, Request(at_step=BATCHES + 7))
    training.run(BATCHES)
    training.end()
    assert asker.last.state is State.DONE
    assert first_batches(memory) == [7]


def test_a_step_that_passed_while_a_window_was_open_opens_the_next(training: Training, memory: Memory) -> None:
    def ask(number: int) -> None:
        if number == 2:
            askers.append(Asker(training, Request(batches=5)))
            askers.append(Asker(training, Request(at_step=5)))

    askers: list[Asker] = []
    training.run(BATCHES, ask)
    training.end()
    assert [asker.last.state for asker in askers] == [State.DONE, State.DONE]
    assert first_batches(memory) == [3, 8]


def test_a_step_that_is_over_is_refused(training: Training) -> None:
    asked: list[Asker] = []
    training.run(BATCHES, lambda number: asked.append(Asker(training, Request(at_step=2))) if number == 9 else None)
    training.end()
    assert asked[0].last.state is State.REFUSED
    assert asked[0].last.message == "step 2 is over; the training is at 10"


def test_who_asks_in_the_last_batch_gets_a_window_in_the_next_epoch(training: Training, memory: Memory) -> None:
    asked: list[Asker] = []
    training.run(BATCHES, lambda n: asked.append(Asker(training, Request())) if n == BATCHES - 1 else None)
    training.run(BATCHES)
    training.end()
    assert asked[0].last.state is State.DONE
    assert first_batches(memory) == [1]


def test_who_asks_too_late_is_told(training: Training, memory: Memory) -> None:
    asked: list[Asker] = []
    training.run(BATCHES, lambda n: asked.append(Asker(training, Request())) if n == BATCHES - 1 else None)
    training.end()
    assert (asked[0].last.state, asked[0].last.message) == (State.FAILED, ENDED)
    assert Asker(training, Request()).last.state is State.REFUSED
    assert first_batches(memory) == []


def test_another_profiler_is_a_reason_to_refuse(training: Training) -> None:
    training.surface.own_profiler = True
    asked: list[Asker] = []
    training.run(BATCHES, lambda number: asked.append(Asker(training, Request())) if number == 3 else None)
    training.end()
    assert (asked[0].last.state, asked[0].last.message) == (State.REFUSED, OTHER_PROFILER)


def test_without_on_demand_it_says_so(memory: Memory, tmp_path: Path) -> None:
    training = Training(memory, tmp_path, profile=("anomaly",))
    assert Asker(training, Request()).last.message == NOT_ON_DEMAND
    training.end()


def test_who_goes_away_is_nothing_to_the_training(training: Training, memory: Memory) -> None:
    def gone(progress: Progress) -> None:
        raise BrokenPipeError

    training.run(BATCHES, lambda number: training.controller.ask(Request(), gone) if number == 3 else None)
    training.end()
    assert first_batches(memory) == [4]


def test_a_trace_that_cannot_be_written_is_told(memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file where the directory of the run would be")
    training = Training(memory, tmp_path)
    asked: list[Asker] = []
    training.run(BATCHES, lambda number: asked.append(Asker(training, Request())) if number == 3 else None)
    training.end()
    assert asked[0].last.state is State.FAILED
    assert "Error" in asked[0].last.message
    assert training.failures == ["profile"]
    assert semconv.PROFILE_FAILED in memory.named(semconv.PROFILE)[0].attributes  # type: ignore[operator]


@pytest.mark.timeout(60)
def test_the_end_waits_for_reading_and_for_delivery_together_as_long_as_the_settings_say(
    memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(results, "read", lambda trace: hangs.wait(30) and "")
    monkeypatch.setattr(memory.session, "_flush_traces", lambda millis: hangs.wait(30))
    memory.session.patience = Patience(BOUND)
    training = Training(memory, tmp_path, flush_timeout=BOUND)
    asked: list[Asker] = []
    training.run(BATCHES, lambda number: asked.append(Asker(training, Request())) if number == 3 else None)
    began = time.monotonic()
    training.end()
    took = time.monotonic() - began
    hangs.set()
    assert BOUND * 0.9 < took < BOUND * 1.5
    (window,) = memory.named(semconv.PROFILE)
    assert "not read within" in str((window.attributes or {})[semconv.PROFILE_FAILED])
