"""A small training with the loggers of a team, as a user would write it: it knows nothing of ocr_otel."""

from __future__ import annotations

import argparse
import threading
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from torch.utils.data import DataLoader, TensorDataset

EPOCHS = 2


class Module(L.LightningModule):
    """A linear model with hyper-parameters."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        loss = self.layer(batch[0]).square().mean()
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        self.log("val_loss", self.layer(batch[0]).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.hparams["rate"])


class OneLogger(Logger):
    """A logger of the user's own."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    @property
    def name(self) -> str:
        return "mine"

    @property
    def version(self) -> str:
        return "1"

    def log_hyperparams(self, params: object, *args: object, **kwargs: object) -> None:
        pass

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        pass


class FailingLogger(OneLogger):
    """Refuses every number that is not the module's."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if any(name.startswith("ocr_otel/") for name in metrics):
            raise ValueError("this tracker is full")


class HangingLogger(OneLogger):
    """Never returns from the first number that is not the module's."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        if any(name.startswith("ocr_otel/") for name in metrics):
            self.asked += 1
            print(f"asked to hang: {self.asked}", flush=True)
            threading.Event().wait()


def loggers(names: list[str], folder: Path) -> list[Logger]:
    """The loggers of these names."""
    made = {
        "csv": lambda: CSVLogger(folder, name="csv"),
        "tensorboard": lambda: TensorBoardLogger(folder, name="tensorboard"),
        "wandb": lambda: WandbLogger(project="readers", save_dir=folder, offline=True),
        "mlflow": lambda: MLFlowLogger("readers", tracking_uri=f"sqlite:///{folder / 'mlflow.db'}"),
        "failing": FailingLogger,
        "hanging": HangingLogger,
    }
    return [made[name]() for name in names]


def main() -> None:
    """Train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("loggers", nargs="*")
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    loader = DataLoader(TensorDataset(torch.randn(80, 8)), batch_size=8)
    trainer = L.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=EPOCHS,
        logger=loggers(options.loggers, options.folder),
        default_root_dir=options.folder,
        log_every_n_steps=5,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Module(), loader, loader)
    print("trained", trainer.global_step)


if __name__ == "__main__":
    main()
