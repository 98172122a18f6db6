"""Trains again and again, when it is told to on stdin; after each training it says in JSON what its steps took."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import warnings

import torch
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader, TensorDataset

from tests.performance.workload import BATCH_SIZE, FEATURES, Module, quiet_and_median


def train(seed: int, batches: int, products: int) -> dict[str, float | str]:
    """Train one epoch; return the 10th percentile and the median of its steps, seconds, and what it made of the model.

    The first third is left out: what waited for the training to go on goes on then.
    """
    torch.manual_seed(seed)
    module = Module(products)
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(module, DataLoader(TensorDataset(torch.randn(batches * BATCH_SIZE, FEATURES)), batch_size=BATCH_SIZE))
    weights = module.layer.weight.detach().numpy().tobytes()
    return quiet_and_median(module.durations(batches // 3)) | {"weights": hashlib.sha256(weights).hexdigest()}


def main() -> None:
    """Train for each line of stdin, which is a seed."""
    batches, products = map(int, sys.argv[1:])
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for line in sys.stdin:
        print(json.dumps(train(int(line), batches, products)), flush=True)


if __name__ == "__main__":
    main()
