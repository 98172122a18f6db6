"""A small training that has everything the dashboards show; it goes on until it is told to stop.

It knows nothing of ocr_otel but what any dataset may have: counts of its cache.
"""

import sys
import time
from pathlib import Path

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

BATCHES = 40
SLOW_BATCH = 30


class Lines(Dataset):
    """Random lines of text, every second one from a cache."""

    def __init__(self) -> None:
        self.cache_hits = 0
        self.cache_misses = 0

    def __len__(self) -> int:
        return 8 * BATCHES

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        self.cache_hits += index % 2
        self.cache_misses += 1 - index % 2
        return torch.full((16,), index / 100), torch.tensor([float(index % 2)])


class Reader(LightningModule):
    """A linear model that logs a loss and an error rate, and has one slow batch an epoch."""

    def __init__(self, failing: bool) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 1)
        self.failing = failing

    def _loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return (self.layer(batch[0]) - batch[1]).pow(2).mean()

    def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> torch.Tensor:
        time.sleep(0.5 if batch_idx == SLOW_BATCH else 0.01)
        if self.failing and batch_idx == SLOW_BATCH:
            raise RuntimeError("planted failure")
        loss = self._loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], batch_idx: int) -> None:
        loss = self._loss(batch)
        self.log_dict({"val_loss": loss, "val_cer": loss.sqrt()})

    def configure_optimizers(self) -> dict[str, object]:
        optimizer = torch.optim.SGD(self.parameters(), lr=1e-4)
        return {"optimizer": optimizer, "lr_scheduler": torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.99)}


class UntilTold(Callback):
    """Ends the training after the epoch in which a file appears."""

    def __init__(self, stop: Path) -> None:
        self.stop = stop

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        trainer.should_stop = self.stop.exists()


def main(folder: Path, failing: bool) -> None:
    """Train until `folder/stop` exists; with `failing`, until the planted failure."""
    Trainer(
        default_root_dir=folder,
        max_epochs=10_000,
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=[ModelCheckpoint(folder, monitor="val_loss"), LearningRateMonitor(), UntilTold(folder / "stop")],
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=5,
    ).fit(
        Reader(failing),
        DataLoader(Lines(), batch_size=8, num_workers=1),
        DataLoader(Lines(), batch_size=32),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), failing="failing" in sys.argv)
