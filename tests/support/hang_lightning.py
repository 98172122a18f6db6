"""A training as a user would write it, that hangs: `hang_lightning.py step|second|worker|none`."""

import sys
import threading
import time

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset

WHERE = sys.argv[1]
HANGS_AT = 30


def deadlock() -> None:
    """Wait for a lock that this thread has."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()  # planted


class Items(Dataset):
    """Random numbers, the last of which may never come."""

    def __len__(self) -> int:
        return 4 * HANGS_AT

    def __getitem__(self, index: int) -> torch.Tensor:
        if WHERE == "worker" and index == 2 * HANGS_AT:
            deadlock()
        return torch.rand(8)


class Module(pl.LightningModule):
    """A linear model; without a hang its batches become slower and slower, and its validation is far slower still."""

    def __init__(self, hangs_in: str) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)
        self.hangs_in = hangs_in

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        if self.hangs_in == WHERE and batch_idx == HANGS_AT:
            deadlock()
        time.sleep(0.02 if WHERE != "none" else min(0.02 * 1.2**batch_idx, 2.5))
        return self.layer(batch).pow(2).mean()

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        time.sleep(2.5)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


torch.set_num_threads(1)
for fit in ("step", "second") if WHERE == "second" else ("step",):
    trainer = pl.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_train_batches=29 if WHERE == "none" else 1.0,
        limit_val_batches=1,
    )
    loader = DataLoader(Items(), batch_size=2, num_workers=1, multiprocessing_context="fork")
    trainer.fit(Module(fit), loader, DataLoader(Items(), batch_size=2))
print("trained")
