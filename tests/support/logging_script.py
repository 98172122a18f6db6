"""A training that logs in all the ways in which programs log; it knows nothing of ocr_otel."""

import logging
import logging.config
import sys
import threading
import time
import warnings

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset

log = logging.getLogger("reader")
own = logging.getLogger("reader.own")
FLOOD = 400


class Images(Dataset):
    """Says something in the process of the worker."""

    def __len__(self) -> int:
        return 48

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 3:
            log.warning("said in a worker")
        return torch.full((8,), index / 48.0)


class Module(pl.LightningModule):
    """A linear model that talks."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch, batch_idx):
        match batch_idx:
            case 0:
                # Without a handler anywhere, Python prints warnings to stderr as they are.
                log.warning("batch %d has no label, token=hf_abcdefghijklmnopqrstuvwx", batch_idx)
                log.info("nobody prints this")
            case 1:
                warnings.warn("an odd size", UserWarning, stacklevel=2)
                thread = threading.Thread(target=lambda: log.warning("said in a thread"), name="loader")
                thread.start()
                thread.join()
            case 2:
                # Does nothing where the root logger has a handler already.
                logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s|%(name)s|%(message)s")
                log.info("predicted %s", ["secret label"] * 3, extra={"label": "secret label"})
                log.debug("too low")
            case 3:
                try:
                    raise ValueError("cannot read /data/private/scan_7.png")
                except ValueError:
                    log.exception("left out /data/private/scan_7.png")
            case 4:
                own.propagate = False
                own.addHandler(logging.StreamHandler(sys.stdout))
                own.error("a logger without its parents, %s")
                logging.captureWarnings(True)
                warnings.warn("captured", RuntimeWarning, stacklevel=2)
            case 5:
                for number in range(FLOOD):
                    log.info("line %d", number)
                # What comes after a flood is let through again when a second holds few records.
                time.sleep(0.5)
                logging.config.dictConfig(
                    {"version": 1, "disable_existing_loggers": False, "root": {"level": "INFO", "handlers": []}}
                )
                log.error("after dictConfig")
        return self.layer(batch).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


if __name__ == "__main__":
    pl.seed_everything(1, verbose=False)
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Module(), DataLoader(Images(), batch_size=8, num_workers=1))
    log.error("after the training")
