"""A training that is killed from outside. It knows nothing of ocr_otel, and writes down what happened when."""

import argparse
import os
import sys
import time
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch.utils.data import DataLoader, Dataset

EPOCHS = 4
BATCHES = 40

parser = argparse.ArgumentParser()
parser.add_argument("--root", type=Path, required=True)
parser.add_argument("--truth", type=Path, required=True)
options = parser.parse_args()
# A write that has returned is the kernel's: it outlives the process.
truth = os.open(options.truth, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


def write(*words):
    """Write down what happens now."""
    os.write(truth, (" ".join(map(str, (time.time_ns(), *words))) + "\n").encode())


class Images(Dataset):
    """Random images that take a while to make."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        if index % 4 == 0:
            write("fetch", os.getpid())
        time.sleep(0.002)
        return torch.rand(8), torch.tensor(float(index % 2))


class Module(pl.LightningModule):
    """A linear model."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def loss(self, batch):
        images, labels = batch
        time.sleep(0.01)
        return (self.layer(images).squeeze(-1) - labels).pow(2).mean()

    def training_step(self, batch, batch_idx):
        write("batch", self.current_epoch, batch_idx)
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def on_train_batch_end(self, outputs, batch, batch_idx):
        write("done", self.current_epoch, batch_idx)

    def validation_step(self, batch, batch_idx):
        write("validation", self.current_epoch, batch_idx)
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class SlowStorage(TorchCheckpointIO):
    """Checkpoints on a storage that takes its time."""

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        write("checkpoint")
        time.sleep(0.3)
        super().save_checkpoint(checkpoint, path, storage_options)


class Told(pl.Callback):
    """Writes down when the training is over."""

    def on_train_end(self, trainer, pl_module):
        write("over")


def main():
    """Train."""
    torch.set_num_threads(1)
    pl.seed_everything(7)
    common = {"batch_size": 4, "num_workers": 2, "persistent_workers": True}
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=EPOCHS,
        logger=False,
        callbacks=[Told(), ModelCheckpoint(options.root, save_last=True)],
        plugins=[SlowStorage()],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.root,
    )
    trainer.fit(Module(), DataLoader(Images(4 * BATCHES), **common), DataLoader(Images(32), **common))
    write("end")


if __name__ == "__main__":
    sys.exit(main())
