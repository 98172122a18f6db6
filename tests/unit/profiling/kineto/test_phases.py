"""The parts of a batch are found whoever marked them, and do not overlap."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.profilers import PyTorchProfiler
from torch import Tensor, nn, optim, rand, randint
from torch.profiler import ProfilerActivity, schedule
from torch.utils.data import DataLoader, TensorDataset

from ocr_otel.profiling.kineto import naming
from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.profile import WindowProfile
from tests.support.kineto_cpu import ACTIVE, network, record
from tests.support.kineto_traces import Workload, write


def seconds(profile: WindowProfile) -> dict[str, float]:
    return {each.name: each.seconds for each in profile.phases}


@pytest.mark.parametrize("style", ["ours", "lightning", "plain"])
def test_the_marks_of_others_tell_the_same(style: str, tmp_path: Path) -> None:
    work = Workload(noise=0.0, fetch=2e-3, style=style)  # type: ignore[arg-type]
    profile = profile_of(write(work, tmp_path / "trace.json"))
    ours = seconds(profile_of(write(Workload(noise=0.0, fetch=2e-3), tmp_path / "ours.json")))
    found = seconds(profile)
    if style == "plain":
        # Nobody marks the copy of the batch: it is in what lies before backward.
        found["transfer"] = ours["transfer"]
        found["forward"] -= ours["transfer"]
    assert set(found) == set(ours)
    for name, expected in ours.items():
        assert found[name] == pytest.approx(expected, rel=0.05, abs=20e-6), name
    assert {each.calls for each in profile.phases} == {6}


def test_parts_do_not_overlap_and_are_in_the_window(tmp_path: Path) -> None:
    profile = profile_of(write(Workload(logged=True), tmp_path / "trace.json"))
    assert set(seconds(profile)) == set(naming.PHASES)
    assert sum(seconds(profile).values()) == pytest.approx(sum(profile.batches), rel=0.01)


def test_a_part_inside_another_is_not_in_that_one(tmp_path: Path) -> None:
    def mark(name: str, start: float, length: float) -> dict[str, object]:
        return {"ph": "X", "cat": "user_annotation", "name": name, "pid": 1, "tid": 1, "ts": start, "dur": length}

    events = [
        mark("train_batch epoch=0 batch=7", 0, 1000),
        mark("forward", 100, 800),
        mark("callbacks:LightningModule.log", 200, 100),
        mark("backward", 400, 200),
        mark("optimizer_step", 700, 100),
        {"ph": "X", "cat": "cpu_op", "name": "aten::add", "pid": 1, "tid": 1, "ts": 150, "dur": 10},
    ]
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(events))
    profile = profile_of(path)
    assert seconds(profile) == pytest.approx(
        {"forward": 400e-6, "backward": 200e-6, "optimizer_step": 100e-6, "callbacks": 100e-6}
    )
    forward = profile.range("forward")
    assert forward is not None
    assert forward.seconds == pytest.approx(800e-6)
    assert forward.own == pytest.approx(400e-6)
    assert forward.operators == pytest.approx(10e-6)
    batch = profile.range("train_batch")
    assert batch is not None
    assert (batch.calls, batch.own) == (1, pytest.approx(200e-6))
    assert profile.batches == (pytest.approx(1e-3),)


def test_a_real_trace_of_plain_pytorch(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    record(path)
    profile = profile_of(path)
    assert len(profile.batches) == ACTIVE
    found = seconds(profile)
    assert set(found) == {"fetch", "forward", "backward", "optimizer_step"}
    assert sum(found.values()) <= profile.seconds
    assert {each.calls for each in profile.phases} == {ACTIVE}
    assert all(each.operators > 0 for each in profile.phases)
    fetch = profile.range("enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__")
    assert fetch is not None
    assert fetch.seconds == pytest.approx(found["fetch"], rel=0.05)


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        pixels, labels = batch
        loss = nn.functional.cross_entropy(self.network(pixels), labels)
        self.log("loss", loss)
        return loss

    def configure_optimizers(self) -> optim.Optimizer:
        return optim.AdamW(self.parameters())


def test_a_real_trace_of_lightnings_profiler(tmp_path: Path) -> None:
    profiler = PyTorchProfiler(
        dirpath=tmp_path,
        schedule=schedule(wait=1, warmup=1, active=3, repeat=1),
        activities=[ProfilerActivity.CPU],
        record_module_names=False,
    )
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        profiler=profiler,
    )
    images = TensorDataset(rand(80, 1, 16, 16), randint(0, 10, (80,)))
    trainer.fit(Module(), DataLoader(images, batch_size=8, num_workers=0))
    (path,) = tmp_path.glob("*.json*")
    profile = profile_of(path)
    assert len(profile.batches) == 3
    found = seconds(profile)
    assert set(found) >= {"fetch", "transfer", "forward", "backward", "optimizer_step"}
    assert sum(found.values()) <= profile.seconds
    assert found["backward"] > 0
    # Lightning's step of the optimiser holds forward and backward, which are not counted in it.
    whole = profile.range("[pl][profile][LightningModule]Module.optimizer_step")
    assert whole is not None
    assert found["optimizer_step"] < whole.seconds - found["forward"]
