"""A training whose batches take a given time, on one rank or several, for asking it something while it runs."""

import argparse
import time

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--batches", type=int, required=True)
parser.add_argument("--step-seconds", type=float, required=True)
parser.add_argument("--devices", type=int, default=1)
options = parser.parse_args()


class Model(pl.LightningModule):
    """A linear model that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(16, 4)

    def training_step(self, batch, batch_idx):
        time.sleep(options.step_seconds)
        return self.layer(batch[0]).pow(2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)


torch.set_num_threads(1)
trainer = pl.Trainer(
    max_epochs=1,
    accelerator="cpu",
    devices=options.devices,
    strategy="ddp" if options.devices > 1 else "auto",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(Model(), DataLoader(TensorDataset(torch.randn(options.batches * options.devices, 16))))
print("trained", trainer.global_step)
