"""A training that is full of secrets, as trainings are: it knows nothing of ocr_otel, and keeps them to itself."""

import json
import logging
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, Dataset

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
warnings.simplefilter("ignore")

folder = Path(sys.argv[1])
secret: dict[str, str] = json.loads((folder / "secrets.json").read_text())
HARMLESS = "harmless-marker"


@dataclass
class Configuration:
    """What a configuration file becomes."""

    password: str
    data: str


@dataclass
class Sample:
    """What a dataset's own code works with."""

    text: str
    number: int


class Lines(Dataset):
    """Lines of text, with the transcriptions that nobody else may see."""

    def __init__(self, root, fails):
        self.root = root
        self.fails = fails

    def __len__(self):
        return 32

    def __getitem__(self, index):
        if self.fails and index == 9:
            token = secret["a variable of a worker"]
            raise ValueError(f"{HARMLESS}-worker: {self.root}/{index}.png, token={token}")  # secret in the source line
        image = torch.full((8,), float(secret["a number of a sample"]))
        return {"image": image, "text": secret["the text of a sample"], "label": secret["a label"]}


class Module(pl.LightningModule):
    """A linear model with hyper-parameters that are secret."""

    def __init__(self, api_key, configuration, message):
        super().__init__()
        self.save_hyperparameters(ignore=["message"])
        self.layer = torch.nn.Linear(8, 1)
        self.message = message

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch["image"]).mean()
        self.log(HARMLESS, loss)
        if self.message and batch_idx == 2:
            local = secret["a local variable"]
            try:
                raise KeyError(secret["a cause"] + local)
            except KeyError as cause:
                raise RuntimeError(f"{HARMLESS}: {self.message(batch)}") from cause
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD([{"params": self.parameters(), "owner": secret["an optimizer's group"]}], lr=1e-9)


class Uploader(pl.Callback):
    """A user's own callback, with what it needs to upload."""

    def __init__(self, token):
        self.token = token

    def __repr__(self):
        return f"Uploader({self.token})"


MESSAGES = (
    lambda batch: f"login failed: password={secret['a password in a message']}",
    lambda batch: f"401 for Authorization: Bearer {secret['a bearer in a message']}",
    lambda batch: f"GET https://me:{secret['a URL in a message']}@store.example/x failed",
    lambda batch: f"W&B refuses {secret['WANDB_API_KEY']} and {secret['HF_TOKEN']}",
    lambda batch: f"no file {folder}/{secret['a folder in a message']}/line 7.png",
    lambda batch: f"no file '{folder}/{secret['a folder in a message']}/line 7.png'",
    lambda batch: f"bad batch {batch}",
    lambda batch: f"bad images {batch['image']} and {batch['image'].numpy()} and {batch['image'].tolist()}",
    lambda batch: f"bad labels {batch['label']}",
    lambda batch: f"no character of '{batch['label'][0]}' is known",
    lambda batch: f"cannot encode {Sample(batch['text'][0], 3)}",
    lambda batch: f"bad arguments {sys.argv} and {Configuration(secret['a field of a configuration'], 'x')}",
    lambda batch: f"it is {secret['WANDB_API_KEY']!r}" + " filled up" * 3_000 + f" {batch}",
    lambda batch: f"no key in {secret['SSH_PRIVATE_KEY']}",
    None,
)


def main() -> None:
    """Train once for each message, once with a worker that fails, and once without a failure."""
    configuration = Configuration(secret["a field of a configuration"], str(folder / secret["the folder of the data"]))
    logging.getLogger(secret["the name of a logger"]).info("started")
    ended = []
    for index, message in enumerate((*MESSAGES, "worker")):
        fails = message == "worker"
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=1,
            logger=CSVLogger(folder / secret["the folder of logs"], name=secret["the name of an experiment"]),
            callbacks=[
                Uploader(secret["an attribute of a callback"]),
                ModelCheckpoint(folder / secret["the folder of checkpoints"], filename=f"best-{index}"),
            ],
            enable_progress_bar=False,
            enable_model_summary=False,
            default_root_dir=folder / secret["the folder of the run"],
        )
        module = Module(secret["a hyper-parameter"], configuration, None if fails else message)
        loader = DataLoader(Lines(configuration.data, fails), batch_size=4, num_workers=1 if fails else 0)
        try:
            trainer.fit(module, loader)
        except (RuntimeError, ValueError) as error:
            ended.append(type(error).__name__)
    print(f"{len(ended)} of {len(MESSAGES) + 1} failed")


if __name__ == "__main__":
    main()
