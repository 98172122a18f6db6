"""A small training on several ranks as a user would write it: it knows nothing of ocr_otel.

Each rank writes its losses, bit by bit, into a file of its own.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import time
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

PLANTS = ("none", "data", "compute", "callback", "random")
BATCH_SIZE = 2


class Samples(Dataset):
    """The same samples on every rank; slow where that is planted."""

    def __init__(self, number: int, delay: float) -> None:
        self.values = torch.randn(number, 8, generator=torch.Generator().manual_seed(1))
        self.delay = delay

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> torch.Tensor:
        if self.delay:
            time.sleep(self.delay / BATCH_SIZE)
        return self.values[index]


class Module(L.LightningModule):
    """Two layers, so that there are several gradients to average."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__()
        self.options = options
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
        self.losses: list[str] = []
        self.whose_turn = random.Random(7)

    def slow(self, plant: str) -> bool:
        return self.options.plant == plant and self.trainer.global_rank == self.options.rank

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        turn = self.whose_turn.randrange(self.trainer.world_size)
        if self.slow("compute") or (self.options.plant == "random" and turn == self.trainer.global_rank):
            time.sleep(self.options.delay)
        loss = self.layers(batch).square().mean()
        self.losses.append(float(loss.detach()).hex())
        self.log("loss", loss, sync_dist=self.options.sync_dist)
        if self.slow_end(batch_idx):
            if self.options.end == "host":
                os.kill(os.getppid(), signal.SIGKILL)
            if self.options.end in ("kill", "host"):
                os.kill(os.getpid(), signal.SIGKILL)
            raise ValueError("planted")
        return loss

    def slow_end(self, batch_idx: int) -> bool:
        """Whether this rank ends here, in the first attempt of its job."""
        first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
        return (
            bool(self.options.end)
            and first
            and batch_idx == self.options.end_at
            and self.trainer.global_rank == self.options.rank
        )

    def train_dataloader(self) -> DataLoader:
        number = self.options.batches * BATCH_SIZE * self.trainer.world_size
        return DataLoader(Samples(number, self.options.delay if self.slow("data") else 0), batch_size=BATCH_SIZE)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)

    def on_fit_end(self) -> None:
        name = f"losses-{self.options.plant}-{self.trainer.global_rank}"
        (self.options.folder / name).write_text("\n".join(self.losses), encoding="utf-8")


class Slow(L.Callback):
    """A callback that takes its time, where that is planted."""

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: Module, batch: torch.Tensor, batch_idx: int) -> None:
        if pl_module.slow("callback"):
            time.sleep(pl_module.options.delay)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=int(os.environ.get("GROUP_WORLD_SIZE", "1")))
    parser.add_argument("--strategy", default="ddp")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--plant", choices=PLANTS, nargs="+", default=["none"], help="one fit for each")
    parser.add_argument("--rank", type=int, default=1, help="where it is planted")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds a batch")
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--sync-dist", action="store_true")
    parser.add_argument("--csv", action="store_true", help="with a logger")
    parser.add_argument("--end", choices=("kill", "raise", "host"), help="how that rank ends in the first attempt")
    parser.add_argument("--end-at", type=int, default=9)
    parser.add_argument("--folder", type=Path, required=True)
    return parser.parse_args()


def main() -> None:
    """Train once for each plant."""
    torch.set_num_threads(1)
    options = parse()
    for plant in options.plant:
        L.seed_everything(5, verbose=False)
        trainer = L.Trainer(
            accelerator="cpu",
            devices=options.devices,
            num_nodes=options.nodes,
            strategy=options.strategy,
            max_epochs=options.epochs,
            accumulate_grad_batches=options.accumulate,
            default_root_dir=options.folder,
            callbacks=[Slow()],
            logger=CSVLogger(options.folder, name="csv") if options.csv else False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(Module(argparse.Namespace(**(vars(options) | {"plant": plant}))))


if __name__ == "__main__":
    main()
