"""A training that knows nothing of ocr_otel and leaks, runs out of memory, or waits for a disk."""

from __future__ import annotations

import argparse
import gc
import os
import time
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=1)
parser.add_argument("--batches", type=int, default=8)
parser.add_argument("--seconds", type=float, default=0.0, help="of each batch")
parser.add_argument("--workers", type=int, default=0)
parser.add_argument("--leak", type=int, default=0, metavar="BYTES", help="an epoch")
parser.add_argument("--exhaust", action="store_true", help="ask for more memory than there is")
parser.add_argument("--cold-file", type=Path, help="read this file without the page cache in one batch")
parser.add_argument("--cold-batch", type=int, default=-1)
options = parser.parse_args()


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.leaked: list[bytearray] = []

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        time.sleep(options.seconds)
        if options.exhaust:
            torch.empty(1 << 50)
        if batch_idx == options.cold_batch:
            descriptor = os.open(options.cold_file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            while os.read(descriptor, 1 << 20):
                pass
            os.close(descriptor)
        return self.layer(batch[0]).square().mean()

    def on_train_epoch_end(self) -> None:
        gc.collect()
        if options.leak:
            # Written, so that it is resident.
            self.leaked.append(bytearray(os.urandom(1) * options.leak))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


torch.set_num_threads(1)
data = TensorDataset(torch.randn(4 * options.batches, 4))
Trainer(
    accelerator="cpu",
    devices=1,
    max_epochs=options.epochs,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
).fit(Module(), DataLoader(data, batch_size=4, num_workers=options.workers))
