"""The configuration that leaves: an allow-list, plain values, and no object's own words."""

from __future__ import annotations

from datetime import timedelta

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader

from ocr_otel import semconv
from ocr_otel.training.configuration import (
    describe_loader,
    describe_loaders,
    describe_model,
    describe_optimizers,
    describe_trainer,
)


class Module(pl.LightningModule):
    """A module with hyper-parameters."""

    def __init__(self, api_key: str, width: int) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(width, 1)


class Secretive:
    """What prints all that it holds."""

    def __repr__(self) -> str:
        return "Secretive(hidden)"


def described(**arguments: object) -> dict[str, object]:
    trainer = pl.Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False, **arguments
    )
    return describe_trainer(trainer, Module("hidden", 8))


def test_hyper_parameters_and_arguments_stay() -> None:
    found = described(max_epochs=3, default_root_dir="hidden")
    assert found[semconv.CONFIG_PREFIX + "max_epochs"] == 3
    assert found[semconv.CONFIG_PREFIX + "module"] == "Module"
    assert "hidden" not in str(found)
    assert "width" not in str(found)


def test_objects_in_the_place_of_settings_are_told_by_their_class() -> None:
    found = described(max_epochs=3)
    assert "Secretive(hidden)" not in str(found)
    loader = DataLoader(torch.ones(4), batch_size=2)
    vars(loader)["prefetch_factor"] = Secretive()
    told = describe_loader(loader)
    assert told[semconv.CONFIG_PREFIX + "dataloader.prefetch_factor"] == "Secretive"
    vars(loader)["prefetch_factor"] = timedelta(minutes=5)
    assert describe_loader(loader)[semconv.CONFIG_PREFIX + "dataloader.prefetch_factor"] == "0:05:00"


def test_texts_in_settings_lose_secrets_and_are_short() -> None:
    loader = DataLoader(torch.ones(4), batch_size=2)
    vars(loader)["prefetch_factor"] = "password=hunter2 " + "x" * 1_000
    told = describe_loader(loader)[semconv.CONFIG_PREFIX + "dataloader.prefetch_factor"]
    assert "hunter2" not in told
    assert len(told) < 220


def test_groups_of_optimizers_are_not_told() -> None:
    parameters = [torch.nn.Parameter(torch.ones(1))]
    found = describe_optimizers([torch.optim.SGD([{"params": parameters, "owner": "hidden"}], lr=0.1)])
    assert found[semconv.CONFIG_OPTIMIZER] == "SGD"
    assert "hidden" not in str(found)


def test_several_loaders_are_told_by_what_they_have_in_common() -> None:
    first = DataLoader(torch.utils.data.TensorDataset(torch.ones(4)), batch_size=2)
    second = DataLoader([1, 2, 3], batch_size=3)
    prefix = semconv.CONFIG_PREFIX + "dataloader."
    told = describe_loaders({"first": first, "others": [second]})
    assert told[prefix + "num_workers"] == 0
    assert prefix + "batch_size" not in told
    assert told[prefix + "dataset"] == "TensorDataset, list"
    assert describe_loaders(first) == describe_loader(first)
    assert describe_loaders([first]) == describe_loader(first)
    assert describe_loaders(None) == {}


def test_parameters_without_a_shape_yet_are_left_out() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LazyLinear(5))
    assert describe_model(module) == {semconv.CONFIG_PREFIX + "parameters": 8}
