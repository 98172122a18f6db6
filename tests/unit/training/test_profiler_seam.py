"""Lightning's action names are understood once; the profiler is left as it was."""

import pytest
from lightning.pytorch import LightningModule
from lightning.pytorch.profilers import PassThroughProfiler, SimpleProfiler

from ocr_otel.recording import clock
from ocr_otel.recording.clock import BatchClock, HookContext
from ocr_otel.training.profiler_seam import Contexts, ProfilerSeam, callback_name


class Path:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.clock = BatchClock()
        self.told: list[str] = []
        self.arrived: list[int] = []
        self.in_step = False

    def __getattr__(self, name: str):
        return lambda *arguments: self.told.append(name)


class Recorder:
    """As much of a recorder as the seam needs."""

    def __init__(self) -> None:
        self.path = Path()

    def hook_context(self, code: int, name: str) -> HookContext:
        return HookContext(self.path.clock, code, name)

    def compare(self, context: HookContext) -> None:
        pass


class Model(LightningModule):
    """Overrides two hooks."""

    def on_before_batch_transfer(self, batch, dataloader_idx):
        return batch

    def on_train_batch_end(self, outputs, batch, batch_idx):
        pass


def contexts_of(recorder: Recorder, begins=lambda: None, failed=None) -> Contexts:
    return Contexts(recorder, Model(), begins, failed or (lambda cause, error: pytest.fail(cause)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("[Strategy]SingleDeviceStrategy.training_step", clock.FORWARD),
        ("[Strategy]DDPStrategy.validation_step", clock.FORWARD),
        ("[Strategy]DDPStrategy.predict_step", clock.FORWARD),
        ("[Strategy]SingleDeviceStrategy.backward", clock.BACKWARD),
        ("[Strategy]SingleDeviceStrategy.batch_to_device", clock.TRANSFER),
        ("[LightningModule]Model.transfer_batch_to_device", None),
        ("[LightningModule]Model.optimizer_step", clock.OPTIMIZER),
        ("[LightningModule]Model.on_before_batch_transfer", clock.TRANSFER),
        ("[LightningModule]Model.configure_gradient_clipping", None),
        ("[LightningModule]Model.on_train_batch_end", clock.CALLBACKS),
        ("[LightningModule]Model.on_train_batch_start", clock.CALLBACKS),
        ("[LightningModule]Model.lr_scheduler_step", clock.CALLBACKS),
        ("[Callback]ModelCheckpoint{'monitor': 'a.b', 'mode': 'min'}.on_train_batch_end", clock.CALLBACKS),
        ("[_TrainingEpochLoop].train_dataloader_next", clock.FETCH),
        ("[_EvaluationLoop].val_next", clock.FETCH),
        ("[_PredictionLoop].predict_next", clock.FETCH),
        ("save_checkpoint", clock.CHECKPOINT),
        ("optimizer_step", clock.OPTIMIZER),
        ("[Strategy]SingleDeviceStrategy.on_train_batch_start", None),
        ("run_training_batch", None),
        ("[LightningDataModule]Data.setup", None),
        ("a user's own action", None),
    ],
)
def test_each_action_has_its_code(action: str, code: int | None) -> None:
    recorder = Recorder()
    contexts = contexts_of(recorder)
    with contexts[action]:
        pass
    spent = [index for index, took in enumerate(recorder.path.clock.exclusive) if took > 0]
    assert spent == ([] if code is None else [code])
    assert contexts[action] is contexts[action]


def test_a_validation_closes_the_batch_that_runs() -> None:
    recorder = Recorder()
    with contexts_of(recorder)["[LightningModule]Model.on_validation_model_zero_grad"]:
        pass
    assert recorder.path.told == ["interrupted"]


def test_a_training_batch_begins_where_the_module_is_told_of_it() -> None:
    begun: list[str] = []
    with contexts_of(Recorder(), lambda: begun.append("batch"))["[LightningModule]Model.on_train_batch_start"]:
        assert begun == ["batch"]


def test_a_failure_of_ours_at_the_batchs_start_stays_with_us() -> None:
    failures: list[str] = []
    contexts = contexts_of(Recorder(), lambda: 1 / 0, lambda cause, error: failures.append(cause))
    with contexts["[LightningModule]Model.on_train_batch_start"]:
        pass
    assert failures == ["batch_start"]


def test_data_that_the_step_itself_fetches_ends_no_batch() -> None:
    recorder = Recorder()
    contexts = contexts_of(recorder)
    with contexts["[Strategy]S.training_step"], contexts["[_TrainingEpochLoop].train_dataloader_next"]:
        pass
    assert recorder.path.told == []
    with contexts["[_TrainingEpochLoop].train_dataloader_next"]:
        pass
    assert recorder.path.told == ["fetch_begins"]


def test_saving_a_checkpoint_is_open_from_the_gathering_of_its_state_on() -> None:
    contexts = contexts_of(Recorder())
    assert contexts.save_checkpoint.since == 0
    with contexts["save_checkpoint"]:
        assert contexts.save_checkpoint.since > 0
    assert contexts.save_checkpoint.since == 0


@pytest.mark.parametrize("kind", [PassThroughProfiler, SimpleProfiler])
def test_the_profiler_is_left_as_it_was(kind: type) -> None:
    profiler = kind()
    before = dict(vars(profiler))
    seam = ProfilerSeam(profiler, contexts_of(Recorder()))
    with profiler.profile("[Strategy]S.training_step"):
        pass
    seam.remove()
    assert set(vars(profiler)) == set(before)


def test_an_action_that_began_before_us_does_not_end_in_us() -> None:
    profiler = PassThroughProfiler()
    recorder = Recorder()
    with profiler.profile("[Callback]OTelCallback.setup"):
        ProfilerSeam(profiler, contexts_of(recorder))
    assert sum(recorder.path.clock.exclusive) == 0


def test_a_callback_is_named_by_its_class() -> None:
    assert callback_name("ModelCheckpoint{'monitor': None}") == "ModelCheckpoint"
    assert callback_name("OTelCallback") == "OTelCallback"
