"""An application of Hydra as a team has it: it knows nothing of ocr_otel but what its configuration names."""

import sys

import hydra
import lightning as L
import torch
from omegaconf import DictConfig
from torch.utils.data import DataLoader, TensorDataset


class Module(L.LightningModule):
    """A linear model."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        return self.layer(batch[0]).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=self.rate)


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(config: DictConfig) -> None:
    """Train."""
    torch.set_num_threads(1)
    callbacks = [hydra.utils.instantiate(each) for each in (config.get("callbacks") or {}).values()]
    loader = DataLoader(TensorDataset(torch.randn(80, 8)), batch_size=8)
    trainer = hydra.utils.instantiate(config.trainer, callbacks=callbacks)
    trainer.fit(Module(config.rate), loader)
    print("trained", trainer.global_step, "imported", sorted({"wandb", "mlflow"} & set(sys.modules)))


if __name__ == "__main__":
    main()
