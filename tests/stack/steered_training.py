"""A small training that files in a folder steer while it runs: `hang`, `starve`, `stop`.

`hang` holds it inside a training step, `starve` makes its data slow, `stop` ends it cleanly. It knows nothing of
ocr_otel.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset

FOLDER = Path(sys.argv[1])
STEP_SECONDS = 0.05
STARVED_SECONDS = 0.4
LONGEST = 600.0
"""Ends by itself, should nobody stop it."""


def asked(what: str) -> bool:
    """Say whether the folder has the file."""
    return (FOLDER / what).exists()


class Lines(Dataset):
    """Images of a size that costs nothing, slow where `starve` is."""

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> torch.Tensor:
        if asked("starve"):
            time.sleep(STARVED_SECONDS)
        return torch.full((4,), index / 1000)


class Module(pl.LightningModule):
    """A linear layer with a step of constant time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        time.sleep(STEP_SECONDS)
        while asked("hang"):
            time.sleep(STEP_SECONDS)
        if asked("stop"):
            self.trainer.should_stop = True
        loss = self.layer(batch).pow(2).mean()
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


pl.Trainer(
    accelerator="cpu",
    devices=1,
    max_epochs=-1,
    max_time={"seconds": int(LONGEST)},
    limit_train_batches=100,
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    default_root_dir=FOLDER,
).fit(Module(), DataLoader(Lines(), batch_size=1))
