"""Model FLOPs utilisation by Lightning's own table of devices."""

from __future__ import annotations

import pytest
import torch
from lightning.fabric.utilities import throughput
from lightning.pytorch import LightningModule, Trainer

from ocr_otel.training.flops import model_flops_utilisation


class Module(LightningModule):
    """Has parameters of half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 2, dtype=torch.float16)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(accelerator="cpu", devices=1, logger=False, enable_progress_bar=False, enable_checkpointing=False)


def test_a_module_that_does_not_say_its_flops_has_no_utilisation(trainer: Trainer) -> None:
    assert model_flops_utilisation(trainer, Module(), 10.0) is None


def test_a_device_that_lightning_does_not_know_has_none(trainer: Trainer) -> None:
    module = Module()
    module.flops_per_batch = 1e9
    assert model_flops_utilisation(trainer, module, 10.0) is None


def test_flops_done_over_flops_offered(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Module()
    module.flops_per_batch = 3e12
    # The device is the one thing that is not here: Lightning asks CUDA for its name and looks it up in its own table.
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(type(trainer.strategy), "root_device", torch.device("cuda", 0))
    offered = throughput.get_available_flops(torch.device("cuda", 0), torch.float16)
    assert offered == pytest.approx(989e12, rel=0.01)
    assert model_flops_utilisation(trainer, module, 10.0) == pytest.approx(3e13 / offered)
