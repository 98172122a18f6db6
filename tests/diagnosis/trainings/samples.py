"""Datasets whose samples take a given time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

Work = Callable[[], object]


def nothing() -> None:
    """Plant nothing."""


class Samples(Dataset[torch.Tensor]):
    """Random samples.

    Args:
        length: How many.
        shape: Of each.
        work: Done for each.
    """

    def __init__(self, length: int, shape: Sequence[int], work: Work = nothing) -> None:
        self._length = length
        self._bank = torch.randn(16, *shape)
        self._work = work

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> torch.Tensor:
        self._work()
        return self._bank[index % len(self._bank)]


class Stream(IterableDataset[torch.Tensor]):
    """Samples without a length, shared among the workers."""

    def __init__(self, length: int, shape: Sequence[int], work: Work) -> None:
        self._length = length
        self._bank = torch.randn(16, *shape)
        self._work = work

    def __iter__(self) -> Iterator[torch.Tensor]:
        info = get_worker_info()
        first, step = (info.id, info.num_workers) if info else (0, 1)
        for index in range(first, self._length, step):
            self._work()
            yield self._bank[index % len(self._bank)]


class Compressed(Dataset[torch.Tensor]):
    """Images that are decompressed, turned into numbers and scaled down when they are asked for."""

    def __init__(self, length: int, edge: int, shape: Sequence[int]) -> None:
        self._length = length
        self._edge = edge
        self._shape = shape
        pixels = torch.randint(0, 40, (edge * edge,), dtype=torch.uint8)
        self._image = zlib.compress(pixels.numpy().tobytes(), 6)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> torch.Tensor:
        pixels = torch.frombuffer(bytearray(zlib.decompress(self._image)), dtype=torch.uint8)
        image = pixels.view(1, 1, self._edge, self._edge).float() / 255
        return torch.nn.functional.interpolate(image, tuple(self._shape[-2:]), mode="bilinear")[0]
