"""What the phases of a kept batch took on its device, from events that are read when it has come past them."""

from __future__ import annotations

from time import perf_counter_ns

import pytest
import torch

from ocr_otel import semconv
from ocr_otel.recording import Recorder, journal
from ocr_otel.recording.contexts import FetchContext
from ocr_otel.recording.device_times import DeviceContext, Marks
from ocr_otel.recording.judgement import Judgement
from ocr_otel.semconv import Outcome, Phase, Stage


class Device:
    """A device that works on what it is given, at its own pace; its events are as `torch.cuda.Event` has them."""

    def __init__(self) -> None:
        self.busy_until = 0.0
        self.behind = False
        self.events = 0

    def work(self, milliseconds: float) -> None:
        self.busy_until += milliseconds

    def event(self) -> Event:
        self.events += 1
        return Event(self)


class Event:
    def __init__(self, device: Device) -> None:
        self._device = device
        self.at: float | None = None

    def record(self) -> None:
        self.at = self._device.busy_until

    def query(self) -> bool:
        return not self._device.behind

    def elapsed_time(self, later: Event) -> float:
        assert self.query(), "as CUDA does, it raises where the device has not come past both"
        assert self.at is not None
        assert later.at is not None
        return later.at - self.at


def batch(recorder: Recorder, device: Device, index: int, optimizer, forward, backward) -> None:
    with FetchContext(recorder.path):
        pass
    recorder.path.batch_begins(index, None, 4)
    with optimizer:
        with forward:
            device.work(30)
        with backward:
            device.work(50)
        device.work(7)


@pytest.fixture
def device() -> Device:
    return Device()


def recorded(memory, device: Device, batches: int) -> Recorder:
    recorder = memory.recorder()
    recorder.begin_entry(semconv.FIT, {}, (Stage.TRAIN,), lambda: 5, lambda epochs, wall, known: Judgement())
    marks = recorder.path.marks = Marks(device.event)
    optimizer, forward, backward = (
        DeviceContext(recorder.path.journal, part, "", marks)
        for part in (journal.OPTIMIZER, journal.FORWARD, journal.BACKWARD)
    )
    recorder.begin_loop(Stage.TRAIN, 0, 100_000)
    for index in range(batches):
        batch(recorder, device, index, optimizer, forward, backward)
    return recorder


def test_each_phase_has_its_own_time_on_the_device_and_not_that_of_those_inside_it(memory, device: Device) -> None:
    recorder = recorded(memory, device, 3)
    recorder.end_entry(Outcome.COMPLETED)
    traces = memory.named(semconv.TRAIN_BATCH)
    assert len(traces) == 3
    for trace in traces:
        took = {phase: trace.attributes.get(semconv.device_seconds(phase)) for phase in Phase}
        assert took[Phase.FORWARD] == pytest.approx(0.030)
        assert took[Phase.BACKWARD] == pytest.approx(0.050)
        assert took[Phase.OPTIMIZER] == pytest.approx(0.007)
        assert took[Phase.TRANSFER] is None
        # The host was far quicker: it only asked for the work.
        assert trace.attributes[semconv.phase_seconds(Phase.FORWARD)] < 0.030
    assert set(trace.attributes) <= set(semconv.ATTRIBUTES)


def test_a_batch_that_is_not_kept_asks_the_device_for_nothing(memory, device: Device) -> None:
    recorder = recorded(memory, device, 10)
    recorder.end_entry(Outcome.COMPLETED)
    assert len(memory.named(semconv.TRAIN_BATCH)) == 3
    assert device.events == 3 * 6


def test_a_device_that_is_behind_is_not_waited_for(memory, device: Device) -> None:
    recorder = recorded(memory, device, 3)
    device.behind = True
    begun = perf_counter_ns()
    recorder.end_entry(Outcome.COMPLETED)
    assert perf_counter_ns() - begun < 3e9
    traces = memory.named(semconv.TRAIN_BATCH)
    assert len(traces) == 3
    assert not [name for trace in traces for name in trace.attributes if "device" in name]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_real_events_of_a_real_device() -> None:
    marks = Marks(lambda: torch.cuda.Event(enable_timing=True))
    book = journal.Journal()
    context = DeviceContext(book, journal.FORWARD, "", marks)
    marks.current = []
    with context:
        torch.mm(torch.randn(4096, 4096, device="cuda"), torch.randn(4096, 4096, device="cuda"))
    torch.cuda.synchronize()
    from ocr_otel.recording.device_times import seconds_by_part

    assert 0 < seconds_by_part(book, marks.take())[journal.FORWARD] < 1
