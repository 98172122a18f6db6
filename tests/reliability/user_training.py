"""A small training as a user would write it, in a hard circumstance; it says its losses bit by bit on stdout.

It knows nothing of ocr_otel: what it prints is to be the same with it and without.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import lightning.pytorch as pl
import torch
from circumstances import BY_NAME, say
from torch.utils.data import DataLoader, Dataset

STEPS = 20


class Images(Dataset):
    """Random images with labels."""

    def __init__(self, size):
        self.images = torch.randn(size, 8, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index] + torch.rand(8), torch.tensor(float(index % 2))


class Module(pl.LightningModule):
    """A linear model that says its losses."""

    def __init__(self, circumstance=None, slowness=0.0):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)
        self.circumstance = circumstance
        self.slowness = slowness
        self.steps = 0

    def loss(self, batch):
        images, labels = batch
        return (self.layer(images).squeeze(-1) - labels).pow(2).mean()

    def setup(self, stage):
        if self.circumstance is not None:
            self.circumstance.set_up()

    def training_step(self, batch, batch_idx):
        if self.circumstance is not None:
            self.circumstance.step(self.steps, self.trainer)
        self.steps += 1
        if self.slowness:
            time.sleep(self.slowness)
        loss = self.loss(batch)
        say("loss", float(loss).hex())
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        loss = self.loss(batch)
        say("validation", float(loss).hex())
        self.log("val_loss", loss)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Early(pl.Callback):
    """Tells the circumstance when `fit` is set up."""

    def __init__(self, circumstance):
        self.circumstance = circumstance

    def setup(self, trainer, pl_module, stage):
        self.circumstance.setting_up()


class Nested(Module):
    """Trains another model in the middle of its own training."""

    def training_step(self, batch, batch_idx):
        if self.steps == 7:
            inner = Module()
            trainer(max_epochs=1).fit(inner, DataLoader(Images(24), batch_size=8))
        return super().training_step(batch, batch_idx)


def trainer(**arguments):
    """A Trainer with what all have in common."""
    common = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 2,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return pl.Trainer(**common | arguments)


def main():
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("circumstance", choices=[*BY_NAME, "nested"])
    parser.add_argument("argument", nargs="?", default="")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--slowness", type=float, default=0.0, help="seconds added to each training step")
    parser.add_argument("--without", action="append", default=[], help="a module that cannot be imported")
    options = parser.parse_args()
    for module in options.without:
        sys.modules[module] = None
    torch.set_num_threads(1)
    circumstance = BY_NAME.get(options.circumstance, BY_NAME["none"])(options.argument)
    circumstance.begins()
    pl.seed_everything(7)
    kind = Nested if options.circumstance == "nested" else Module
    module = kind(circumstance, options.slowness)
    one = trainer(default_root_dir=options.root, callbacks=[Early(circumstance)], **circumstance.arguments)
    circumstance.trainer_made()
    circumstance.fit(
        lambda: one.fit(module, DataLoader(Images(80), batch_size=8), DataLoader(Images(16), batch_size=8))
    )
    say("fit is over", one.global_step)
    circumstance.over()
    say("end")


if __name__ == "__main__":
    main()
