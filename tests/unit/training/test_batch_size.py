"""How many samples a batch holds, for the forms that collate functions give it."""

from __future__ import annotations

from collections import UserDict, namedtuple
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import torch

from ocr_otel.training.batch_size import MAX_DEPTH, find_batch_size, find_combined_size

Padded = namedtuple("Padded", ["data", "sizes"])


@dataclass
class Lines:
    """A batch as a dataclass."""

    texts: list[str]
    images: torch.Tensor


class Broken(Mapping):
    """Cannot be looked into."""

    def __getitem__(self, name: str) -> object:
        raise RuntimeError("closed")

    def __iter__(self) -> Iterator[str]:
        return iter(["image"])

    def __len__(self) -> int:
        return 1


def image(width: int = 9, channels: int = 3) -> torch.Tensor:
    return torch.zeros(channels, 4, width)


def nested(depth: int) -> object:
    return [nested(depth - 1)] if depth else torch.zeros(7)


@pytest.mark.parametrize(
    ("batch", "samples"),
    [
        # Stacked: the size of the first tensor.
        (torch.zeros(5, 2), 5),
        (torch.tensor(1.0), 1),
        ([torch.zeros(4), torch.zeros(4)], 4),
        ((torch.zeros(4, 3, 8, 8), ["a", "b", "c", "d"]), 4),
        ({"image": torch.zeros(6, 3), "text": ["a"]}, 6),
        ({"nested": ({"x": torch.zeros(7)},)}, 7),
        (UserDict(image=torch.zeros(6, 3)), 6),
        (Padded(torch.zeros(5, 1, 8, 8), torch.zeros(5, 3)), 5),
        ([[torch.zeros(5, 2), torch.zeros(5)], [torch.zeros(5, 2), torch.zeros(5)]], 5),
        # Names, texts and labels before the images.
        ({"id": ["a", "b"], "image": torch.zeros(2, 3)}, 2),
        ({"text": [[1, 2], [3], [4]], "image": torch.zeros(3, 8)}, 3),
        ({"id": [str(number) for number in range(99)], "image": torch.zeros(99, 3)}, 99),
        (Lines(["a", "b"], torch.zeros(2, 3)), 2),
        ((7, None, torch.zeros(6, 3)), 6),
        (("a", b"bytes", torch.zeros(6, 3)), 6),
        # Samples one by one, or their fields in lists: the first tensor has channels.
        ([{"image": image(5)}, {"image": image(7)}], 2),
        ([(image(5), "a"), (image(7), "b"), (image(), "c")], 3),
        ([(image(5), torch.zeros(2)), (image(7), torch.zeros(4)), (image(), torch.zeros(1))], 3),
        (([image(5), image(7)], ["a", "b"]), 2),
        (([image(5), image(7)], [{"boxes": torch.zeros(4)}, {"boxes": torch.zeros(0, 4)}]), 2),
        (([image(5, channels=1), image(7, channels=1)], [torch.zeros(3), torch.zeros(9)]), 2),
        ({"images": [image(5), image(7)], "texts": ["a", "b"]}, 2),
        ({"image": Padded(torch.zeros(2, 1, 8, 8), torch.zeros(2, 3)), "text": ["a", "b"]}, 2),
        # Nothing that tells it.
        ("text", None),
        (["a", "b"], None),
        (None, None),
        ([], None),
        ({}, None),
        (object(), None),
        (3, None),
        (Lines, None),
        (Broken(), None),
        (nested(MAX_DEPTH), 7),
        (nested(MAX_DEPTH + 2), None),
    ],
)
def test_the_size_of_a_batch(batch: object, samples: int | None) -> None:
    assert find_batch_size(batch) == samples


@pytest.mark.parametrize(
    ("loaders", "batch", "samples"),
    [
        ("one", torch.zeros(4), 4),
        (["one"], [[image(5), "a"]], 3),
        (["one", "two"], [torch.zeros(4), torch.zeros(3)], 7),
        (["one", "two"], [{"image": torch.zeros(4)}, {"image": torch.zeros(3)}], 7),
        ({"one": 1, "two": [2, 3]}, {"one": torch.zeros(4), "two": (torch.zeros(3), torch.zeros(2))}, 9),
        # One of them is exhausted.
        (["one", "two"], [None, torch.zeros(3)], 3),
        # One of them does not tell it.
        (["one", "two"], ["text", torch.zeros(3)], None),
        # A hook of the module has put them together.
        (["one", "two"], {"image": torch.zeros(7)}, 7),
        ({"one": 1, "two": 2}, torch.zeros(7), 7),
        (["one", "two"], [torch.zeros(7), torch.zeros(7), torch.zeros(7)], 7),
    ],
)
def test_the_size_of_what_several_loaders_gave(loaders: object, batch: object, samples: int | None) -> None:
    assert find_combined_size(loaders, batch) == samples
