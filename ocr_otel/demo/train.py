"""The training script, as a team would write it: `python -m ocr_otel.demo.train --help`."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

from ocr_otel.demo.datamodule import TextLineData
from ocr_otel.demo.model import TextRecogniser

SLOW_LOADER_LATENCY = 0.025
"""Seconds to read an image, as on a busy network file system: two workers cannot keep up with the model."""
SLOW_COMPUTE_WIDTH = 40
HEAVY_CHECKPOINT_MEGABYTES = 120
HEAVY_CHECKPOINT_EVERY = 10
"""Steps between two checkpoints."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ocr_otel.demo.train",
        description="Trains a small text-line recogniser (CRNN with CTC) on images that are made on the first run.",
    )
    parser.add_argument("--data-dir", type=Path, default=Path("demo-data"), help="where the images are kept")
    parser.add_argument("--output", type=Path, default=Path("demo-output"), help="checkpoints and logs")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=2400, help="text lines, an eighth of them for validation")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2, help="dataloader worker processes")
    parser.add_argument("--seed", type=int, default=1)
    planted = parser.add_argument_group("planted bottlenecks, to see them found")
    planted.add_argument("--slow-loader", action="store_true", help="read each image as from slow storage")
    planted.add_argument("--slow-compute", action="store_true", help="make the model several times larger")
    planted.add_argument("--heavy-checkpoint", action="store_true", help="write large checkpoints, often")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    """Train, and say how well the model reads."""
    options = parse(arguments)
    # Lightning's own use of a renamed torch function, nothing a user could change.
    warnings.filterwarnings("ignore", message=".*LeafSpec.*is deprecated.*")
    L.seed_everything(options.seed)
    data = TextLineData(
        options.data_dir,
        options.samples,
        options.batch_size,
        options.workers,
        options.seed,
        SLOW_LOADER_LATENCY if options.slow_loader else 0.0,
    )
    model = TextRecogniser(
        width=SLOW_COMPUTE_WIDTH if options.slow_compute else 16,
        ballast=HEAVY_CHECKPOINT_MEGABYTES if options.heavy_checkpoint else 0,
    )
    checkpoints = ModelCheckpoint(monitor="val_cer", filename="best")
    callbacks: list[L.Callback] = [checkpoints]
    if options.heavy_checkpoint:
        callbacks.append(ModelCheckpoint(filename="often", every_n_train_steps=HEAVY_CHECKPOINT_EVERY))
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=options.epochs,
        default_root_dir=options.output,
        callbacks=callbacks,
        logger=CSVLogger(options.output, name="logs"),
        log_every_n_steps=10,
        gradient_clip_val=5.0,
    )
    trainer.fit(model, datamodule=data)
    rate = trainer.callback_metrics.get("val_cer")
    if rate is not None:
        print(f"Character error rate on the validation lines: {float(rate):.1%}")
    print(f"Best checkpoint: {checkpoints.best_model_path}")


if __name__ == "__main__":
    main()
