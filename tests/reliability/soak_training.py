"""A training that goes on until it is told to stop, with all that can be on: workers, validation, checkpoints."""

import argparse
import time
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils.data import DataLoader, Dataset

parser = argparse.ArgumentParser()
parser.add_argument("--root", type=Path, required=True)
parser.add_argument("--seconds", type=float, required=True)
parser.add_argument("--profile-every", type=int, default=0, help="batches from a plain window to the next")
options = parser.parse_args()


class Images(Dataset):
    """Random images."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        time.sleep(0.001)
        return torch.rand(8), torch.tensor(float(index % 2))


class Module(pl.LightningModule):
    """A small network; one batch in 300 is slow."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 64), torch.nn.ReLU(), torch.nn.Linear(64, 1))

    def loss(self, batch):
        images, labels = batch
        return (self.layers(images).squeeze(-1) - labels).pow(2).mean()

    def training_step(self, batch, batch_idx):
        if self.global_step % 300 == 299:
            time.sleep(0.2)
        loss = self.loss(batch)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.loss(batch))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class PlainWindows(pl.Callback):
    """Windows of `torch.profiler` as ocr_otel opens them, by the user."""

    profiler = None

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step % options.profile_every == options.profile_every - 1:
            steps = torch.profiler.schedule(wait=0, warmup=1, active=3, repeat=1)
            self.profiler = torch.profiler.profile(schedule=steps, record_shapes=True)
            self.profiler.start()
            self.left = 4

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.profiler is not None:
            self.profiler.step()
            self.left -= 1
            if not self.left:
                self.profiler.stop()
                self.profiler.export_chrome_trace(str(options.root / "plain.json"))
                self.profiler = None


def main():
    """Train."""
    torch.set_num_threads(1)
    pl.seed_everything(7)
    common = {"batch_size": 8, "num_workers": 2, "persistent_workers": True}
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=-1,
        max_time={"seconds": options.seconds},
        logger=False,
        callbacks=[
            ModelCheckpoint(options.root, save_last=True),
            *([PlainWindows()] if options.profile_every else []),
        ],
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=options.root,
    )
    trainer.fit(Module(), DataLoader(Images(2000), **common), DataLoader(Images(64), **common))


if __name__ == "__main__":
    main()
