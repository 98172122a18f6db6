"""A training with something to profile, as a user would write it; prints what its weights came to, bit by bit."""

import argparse
import time

import lightning.pytorch as pl
import torch
from lightning.pytorch.profilers import PyTorchProfiler
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--batches", type=int, default=40)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--slow-batch", type=int, default=-1)
parser.add_argument("--step-seconds", type=float, default=0.0)
parser.add_argument("--own-profiler", choices=["", "trainer", "callback"], default="")
parser.add_argument("--break-stop", action="store_true")
options = parser.parse_args()


class Model(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))

    def training_step(self, batch, batch_idx):
        images, labels = batch
        if options.step_seconds:
            time.sleep(options.step_seconds)
        if self.current_epoch == 0 and batch_idx == options.slow_batch:
            time.sleep(0.5)
        return torch.nn.functional.cross_entropy(self.layers(images), labels)

    def validation_step(self, batch, batch_idx):
        self.layers(batch[0])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters())


class OwnProfiler(pl.Callback):
    """Profiles two batches of its own, as a user may; it must always get them."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 0 and batch_idx == 12:
            self.profiler = torch.profiler.profile()
            self.profiler.start()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if trainer.current_epoch == 0 and batch_idx == 13:
            self.profiler.stop()
            print("own events", sum(event.name == "aten::linear" for event in self.profiler.events()))


if options.break_stop:

    def stop(self):
        raise RuntimeError("CUPTI went away")

    torch.profiler.profile.stop = stop

pl.seed_everything(1)
torch.set_num_threads(1)
size = options.batches * 8
data = TensorDataset(torch.randn(size, 64), torch.randint(0, 10, (size,)))
trainer = pl.Trainer(
    max_epochs=options.epochs,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[OwnProfiler()] if options.own_profiler == "callback" else [],
    profiler=PyTorchProfiler(filename="own") if options.own_profiler == "trainer" else None,
)
model = Model()
trainer.fit(model, DataLoader(data, 8, shuffle=True), DataLoader(data, 64))
print("weights", sum(parameter.detach().double().sum() for parameter in model.parameters()).item().hex())
