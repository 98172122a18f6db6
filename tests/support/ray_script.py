"""Trainings in processes of Ray: one in a task, one by Ray Train on two workers. They know nothing of ocr_otel."""

import os
import sys

import lightning.pytorch as pl
import ray
import torch
from lightning.pytorch.demos.boring_classes import BoringModel, RandomDataset
from ray.train import ScalingConfig
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment, prepare_trainer
from ray.train.torch import TorchTrainer
from torch.utils.data import DataLoader

COMMON = {
    "accelerator": "cpu",
    "max_epochs": 1,
    "limit_train_batches": 8,
    "limit_val_batches": 0,
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def loader() -> DataLoader:
    """Batches of random numbers."""
    return DataLoader(RandomDataset(32, 64), batch_size=2)


@ray.remote(num_cpus=1)
def alone() -> None:
    """A training in a task."""
    torch.set_num_threads(1)
    pl.Trainer(devices=1, **COMMON).fit(BoringModel(), loader())


def together() -> None:
    """The training of each of Ray Train's workers."""
    torch.set_num_threads(1)
    trainer = pl.Trainer(devices="auto", strategy=RayDDPStrategy(), plugins=[RayLightningEnvironment()], **COMMON)
    prepare_trainer(trainer).fit(BoringModel(), loader())


if __name__ == "__main__":
    what = sys.argv[1]
    variables = {name: value for name, value in os.environ.items() if name.startswith(("OCR_OTEL", "OTEL_"))}
    ray.init(num_cpus=3, include_dashboard=False, runtime_env={"env_vars": variables})
    if what == "task":
        ray.get(alone.remote())
    else:
        TorchTrainer(together, scaling_config=ScalingConfig(num_workers=2, use_gpu=False)).fit()
    ray.shutdown()
