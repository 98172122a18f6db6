"""A LightningCLI application as a team has it: it knows nothing of ocr_otel."""

import sys

import lightning as L
import torch
from lightning.pytorch.cli import LightningCLI
from torch.utils.data import DataLoader, TensorDataset


class Module(L.LightningModule):
    """A linear model."""

    def __init__(self, rate: float = 0.1) -> None:
        super().__init__()
        self.rate = rate
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self.layer(batch[0]).square().mean()

    def train_dataloader(self) -> DataLoader:
        return DataLoader(TensorDataset(torch.randn(80, 8)), batch_size=8)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


if __name__ == "__main__":
    torch.set_num_threads(1)
    LightningCLI(Module)
    print("imported", sorted({"hydra", "wandb", "mlflow", "tensorboard"} & set(sys.modules)))
