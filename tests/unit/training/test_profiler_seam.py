"""Lightning's action names are understood once; the profiler is left as it was."""

from collections.abc import Iterator
from time import perf_counter_ns
from unittest.mock import Mock

import pytest
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler

from ocr_otel import semconv
from ocr_otel.recording import Recorder, journal
from ocr_otel.recording.device_times import DeviceContext, Marks
from ocr_otel.recording.journal import TimedContext
from ocr_otel.recording.judgement import Judgement
from ocr_otel.semconv import Outcome, Stage
from ocr_otel.training.profiler_seam import Contexts, ProfilerSeam, callback_name
from ocr_otel.training.ranges import RangeContext
from tests.support.journals import current


class Batch:
    """The batch that runs; counts how often it is asked for its index."""

    def __init__(self) -> None:
        self.asked = 0

    def index(self) -> int:
        self.asked += 1
        return 0

    def samples(self) -> int:
        return 1


class Model(LightningModule):
    """Overrides two hooks."""

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch

    def on_train_batch_end(self, outputs, batch, batch_idx):
        pass


def contexts_of(recorder: Recorder, batch: Batch | None = None) -> Contexts:
    return Contexts(recorder, Model(), batch or Batch(), lambda cause, error: pytest.fail(cause))  # type: ignore[arg-type]


@pytest.fixture
def recorder(memory) -> Iterator[Recorder]:
    recorder = memory.recorder()
    recorder.begin_entry(semconv.FIT, {}, (Stage.TRAIN,), lambda: 0, lambda epochs, wall, known: Judgement())
    yield recorder
    recorder.end_entry(Outcome.COMPLETED)


@pytest.mark.parametrize(
    ("action", "part"),
    [
        ("[Strategy]SingleDeviceStrategy.training_step", journal.FORWARD),
        ("[Strategy]DDPStrategy.validation_step", journal.FORWARD),
        ("[Strategy]DDPStrategy.predict_step", journal.FORWARD),
        ("[Strategy]SingleDeviceStrategy.backward", journal.BACKWARD),
        ("[Strategy]SingleDeviceStrategy.batch_to_device", journal.TRANSFER),
        ("[LightningModule]Model.transfer_batch_to_device", None),
        ("[LightningModule]Model.optimizer_step", journal.OPTIMIZER),
        ("[LightningModule]Model.on_before_batch_transfer", journal.TRANSFER),
        ("[LightningModule]Model.configure_gradient_clipping", None),
        ("[LightningModule]Model.on_train_batch_end", journal.CALLBACKS),
        ("[LightningModule]Model.on_train_batch_start", None),
        ("[LightningModule]Model.lr_scheduler_step", journal.CALLBACKS),
        ("[Callback]ModelCheckpoint{'monitor': 'a.b', 'mode': 'min'}.on_train_batch_end", journal.CALLBACKS),
        ("[_TrainingEpochLoop].train_dataloader_next", journal.FETCH),
        ("[_EvaluationLoop].val_next", journal.FETCH),
        ("[_PredictionLoop].predict_next", journal.FETCH),
        ("save_checkpoint", journal.CHECKPOINT),
        ("optimizer_step", journal.OPTIMIZER),
        ("[Strategy]SingleDeviceStrategy.on_train_batch_start", None),
        ("run_training_batch", None),
        ("[LightningDataModule]Data.setup", None),
        ("a user's own action", None),
        ("what_comes_next", None),
        ("[Sampler].choose_next", None),
    ],
)
def test_each_action_is_the_part_that_it_is(recorder: Recorder, action: str, part: int | None) -> None:
    contexts = contexts_of(recorder)
    with contexts[action]:
        pass
    row = current(recorder.path.journal, perf_counter_ns())
    assert [index for index, took in enumerate(row.parts) if took > 0] == ([] if part is None else [part])
    assert contexts[action] is contexts[action]


def test_a_training_batch_begins_where_the_module_is_told_of_it(recorder: Recorder) -> None:
    batch = Batch()
    recorder.begin_loop(Stage.TRAIN, 0, 5)
    with contexts_of(recorder, batch)["[LightningModule]Model.on_train_batch_start"]:
        assert batch.asked == 1
        assert current(recorder.path.journal, perf_counter_ns()).mark


def test_data_that_the_step_itself_fetches_ends_no_batch(recorder: Recorder) -> None:
    contexts = contexts_of(recorder)
    recorder.begin_loop(Stage.TRAIN, 0, 5, fetched_in_step=True)
    begun = current(recorder.path.journal, perf_counter_ns()).start
    with contexts["[Strategy]S.training_step"], contexts["[_TrainingEpochLoop].train_dataloader_next"]:
        pass
    row = current(recorder.path.journal, perf_counter_ns())
    assert row.start == begun
    assert [part for part, _, _ in row.intervals] == [journal.FETCH, journal.FORWARD]


def test_saving_a_checkpoint_is_open_from_the_gathering_of_its_state_on(recorder: Recorder) -> None:
    contexts = contexts_of(recorder)
    assert contexts.save_checkpoint.since == 0
    with contexts["save_checkpoint"]:
        assert contexts.save_checkpoint.since > 0
    assert contexts.save_checkpoint.since == 0


@pytest.mark.parametrize("kind", [PassThroughProfiler, SimpleProfiler])
def test_the_profiler_is_left_as_it_was(recorder: Recorder, kind: type) -> None:
    profiler = kind()
    before = dict(vars(profiler))
    seam = ProfilerSeam(profiler, contexts_of(recorder))
    with profiler.profile("[Strategy]S.training_step"):
        pass
    seam.remove()
    assert set(vars(profiler)) == set(before)


@pytest.mark.parametrize("kind", [PassThroughProfiler, SimpleProfiler])
def test_methods_replaced_on_the_profiler_itself_are_called_and_put_back(recorder: Recorder, kind: type) -> None:
    profiler = kind()
    profiler.start, profiler.stop = start, stop = Mock(), Mock()
    seam = ProfilerSeam(profiler, contexts_of(recorder))
    profiler.start("[Strategy]S.training_step")
    profiler.stop("[Strategy]S.training_step")
    seam.remove()
    assert (profiler.start, profiler.stop) == (start, stop)
    start.assert_called_once_with("[Strategy]S.training_step")
    stop.assert_called_once_with("[Strategy]S.training_step")
    assert current(recorder.path.journal, perf_counter_ns()).parts[journal.FORWARD] > 0


def test_an_action_that_began_before_us_does_not_end_in_us(recorder: Recorder) -> None:
    profiler = PassThroughProfiler()
    with profiler.profile("[Callback]OTelCallback.setup"):
        ProfilerSeam(profiler, contexts_of(recorder))
    assert sum(current(recorder.path.journal, perf_counter_ns()).parts) == 0


def test_a_callback_is_named_by_its_class() -> None:
    assert callback_name("ModelCheckpoint{'monitor': None}") == "ModelCheckpoint"
    assert callback_name("OTelCallback") == "OTelCallback"


def test_with_a_device_that_has_events_the_phases_that_use_it_are_marked_in_its_stream(recorder: Recorder) -> None:
    recorder.path.marks = Marks(lambda: None)  # type: ignore[arg-type,return-value]
    contexts = contexts_of(recorder)
    on_device = ["[Strategy]S.training_step", "[Strategy]S.backward", "[Strategy]S.batch_to_device", "optimizer_step"]
    assert {type(contexts[action]) for action in on_device} == {DeviceContext}
    assert type(contexts["[Callback]ModelCheckpoint.on_train_batch_end"]) is TimedContext
    # Of a batch that is not kept nothing is asked.
    with contexts["optimizer_step"], contexts["[Strategy]S.training_step"]:
        pass
    assert recorder.path.marks.take() == ()


def test_a_range_that_is_open_ends_with_the_window_and_its_context_where_it_stands(recorder: Recorder) -> None:
    contexts = contexts_of(recorder)
    action = "[Callback]Other.on_train_batch_start"
    with torch.profiler.profile() as window:
        contexts.ranges(True)
        context = contexts[action]
        context.__enter__()
        contexts.ranges(False)
        torch.ones(2) + 1
        context.__exit__(None, None, None)
    ends = {event.name: event.time_range.end for event in window.events()}
    begins = {event.name: event.time_range.start for event in window.events()}
    name = next(name for name in ends if name.startswith(semconv.CALLBACKS_RANGE))
    assert ends[name] <= begins["aten::add"]
    assert not isinstance(contexts[action], RangeContext)
