"""A small CRNN: convolutions read columns of the line, a recurrent layer reads along it, CTC aligns the text."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import nn
from torchmetrics.text import CharErrorRate

from ocr_otel.demo.data import ALPHABET, HEIGHT, Batch, decode

COLUMN = 4
"""Pixels of width that one step of the recurrent layer stands for."""


class TextRecogniser(L.LightningModule):
    """Recognises a text line.

    Args:
        width: Channels of the first convolution; the others are multiples of it.
        learning_rate: Highest learning rate of the one-cycle schedule.
        ballast: Megabytes of state that are good for nothing but a slow checkpoint.
    """

    def __init__(self, width: int = 16, learning_rate: float = 4e-3, ballast: int = 0) -> None:
        super().__init__()
        self.save_hyperparameters()
        self._learning_rate = learning_rate
        self.columns: nn.Sequential = nn.Sequential(
            _block(1, width, (2, 2)), _block(width, 2 * width, (2, 2)), _block(2 * width, 4 * width, (4, 1))
        )
        features = 4 * width * (HEIGHT // 16)
        self.along: nn.GRU = nn.GRU(features, 4 * width, batch_first=True, bidirectional=True)
        self.classify: nn.Linear = nn.Linear(8 * width, len(ALPHABET) + 1)
        self.loss: nn.CTCLoss = nn.CTCLoss(zero_infinity=True)
        self.error_rate: CharErrorRate = CharErrorRate()
        if ballast:
            self.register_buffer("ballast", torch.zeros(ballast * 1024 * 1024 // 4))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return log-probabilities.

        Args:
            images: Shape (batch, 1, HEIGHT, width).

        Returns:
            Shape (batch, width / COLUMN, characters + 1).
        """
        columns = self.columns(images).flatten(1, 2).transpose(1, 2)
        along, _ = self.along(columns)
        result: torch.Tensor = self.classify(along).log_softmax(-1)
        return result

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Return the CTC loss."""
        loss = self._loss(batch)[0]
        self.log("train_loss", loss, prog_bar=True, on_step=True, on_epoch=False, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log the loss and the character error rate."""
        loss, scores = self._loss(batch)
        _, widths, labels, lengths = batch
        paths = scores.argmax(-1).tolist()
        read = [decode(path[: width // COLUMN]) for path, width in zip(paths, widths.tolist(), strict=True)]
        written = ["".join(ALPHABET[label - 1] for label in part) for part in labels.split(lengths.tolist())]
        self.error_rate.update(read, written)
        self.log("val_loss", loss, batch_size=len(lengths))
        self.log("val_cer", self.error_rate, prog_bar=True, batch_size=len(lengths))

    def configure_optimizers(self) -> Any:
        """Return AdamW with a one-cycle schedule."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self._learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self._learning_rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _loss(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        images, widths, labels, lengths = batch
        scores: torch.Tensor = self(images)
        loss: torch.Tensor = self.loss(scores.transpose(0, 1), labels, widths // COLUMN, lengths)
        return loss, scores


def _block(inputs: int, outputs: int, pool: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(pool)
    )
