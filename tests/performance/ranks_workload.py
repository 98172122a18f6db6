"""Trains on several ranks in turn with and without ocr_otel, in the same processes; rank 0 writes what steps took."""

from __future__ import annotations

import json
import logging
import random
import sys
import warnings
from pathlib import Path

import lightning as L
import torch
from torch.utils.data import DataLoader, TensorDataset

from tests.performance.workload import BATCH_SIZE, FEATURES, Module, forget_entry_points, quiet_and_median


def train(devices: int, batches: int, products: int, ours: bool) -> dict[str, float]:
    """Train one epoch and return the 10th percentile and the median of its steps, seconds.

    The first third is left out: what starts beside a training starts then.
    """
    from ocr_otel import OTelCallback

    module = Module(products)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=devices,
        strategy="ddp" if devices > 1 else "auto",
        max_epochs=1,
        callbacks=[OTelCallback()] if ours else None,
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(
        module, DataLoader(TensorDataset(torch.randn(devices * batches * BATCH_SIZE, FEATURES)), batch_size=BATCH_SIZE)
    )
    return quiet_and_median(module.durations(batches // 3))


def main() -> None:
    """Train in rounds: with and without, in an order that all ranks know."""
    devices, batches, products, rounds = map(int, sys.argv[1:5])
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    forget_entry_points()
    order = random.Random(0)
    took: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    train(devices, batches, products, True)
    for _ in range(rounds):
        for ours in order.sample([False, True], 2):
            took[ours].append(train(devices, batches, products, ours))
    if not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0:
        Path(sys.argv[5]).write_text(json.dumps({"bare": took[False], "ours": took[True]}), encoding="utf-8")


if __name__ == "__main__":
    main()
