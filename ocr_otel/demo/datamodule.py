"""The demo's data as a LightningDataModule: training and validation lines, loaded by worker processes."""

from __future__ import annotations

from pathlib import Path

import lightning as L
from torch.utils.data import DataLoader

from ocr_otel.demo.data import Sample, TextLines, collate, folder_of, prepare

VALIDATION_SHARE = 0.125


class TextLineData(L.LightningDataModule):
    """Text lines in two parts.

    Args:
        parent: Where the folder with the images is made when it is missing.
        samples: Lines in all, an eighth of them for validation.
        batch_size: Lines in a batch.
        workers: Worker processes of each loader.
        seed: Of the images.
        latency: See `TextLines`.
    """

    def __init__(
        self, parent: Path, samples: int, batch_size: int, workers: int, seed: int, latency: float = 0.0
    ) -> None:
        super().__init__()
        self._parent = parent
        self._samples = samples
        self._batch_size = batch_size
        self._workers = workers
        self._seed = seed
        self._latency = latency

    def prepare_data(self) -> None:
        """Write the images once."""
        prepare(self._parent, self._samples, self._seed)

    def setup(self, stage: str) -> None:
        """Split the lines."""
        split = self._samples - int(self._samples * VALIDATION_SHARE)
        folder = folder_of(self._parent, self._samples, self._seed)
        self._train = TextLines(folder, range(split), self._latency)
        self._validation = TextLines(folder, range(split, self._samples))

    def train_dataloader(self) -> DataLoader[Sample]:
        """Return the training lines, shuffled."""
        return self._loader(self._train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Sample]:
        """Return the validation lines."""
        return self._loader(self._validation, shuffle=False)

    def _loader(self, lines: TextLines, shuffle: bool) -> DataLoader[Sample]:
        return DataLoader(
            lines,
            batch_size=self._batch_size,
            shuffle=shuffle,
            drop_last=shuffle,
            num_workers=self._workers,
            persistent_workers=self._workers > 0,
            collate_fn=collate,
        )
