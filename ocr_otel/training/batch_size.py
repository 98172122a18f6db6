"""How many samples a batch holds, told from its form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import torch

MAX_DEPTH: Final = 6
"""How deep in a batch a tensor is looked for."""
MAX_FIELDS: Final = 16
"""A longer list that begins with a text or a number holds labels or names, and no tensor behind them."""


def find_batch_size(batch: Any) -> int | None:
    """Return how many samples a batch holds: the size of the first tensor in it; None where there is none.

    Lightning takes the first tensor's size too, but for batches whose samples are not stacked: there that is the number
    of channels of the first image. A list of dictionaries holds as many samples, and so do lists of images and texts
    beside each other.
    """
    if isinstance(batch, torch.Tensor):
        return _size(batch)
    if isinstance(batch, (list, tuple)) and batch and isinstance(batch[0], torch.Tensor):
        return _size(batch[0])
    try:
        unstacked = _unstacked(batch)
        return unstacked if unstacked is not None else _first_size(batch, MAX_DEPTH)
    except Exception:
        # Objects of the application's, which may do anything when they are looked into.
        return None


def find_combined_size(loaders: Any, batch: Any) -> int | None:
    """Return how many samples there are in what several dataloaders gave for one batch; None where that is not known.

    Args:
        loaders: The dataloaders as the training has them: one, or a list or dictionary of them.
        batch: What each gave, in the same form, unless a hook of the module has changed it; None for one that is
            exhausted.
    """
    parts: list[tuple[Any, Any]]
    if isinstance(loaders, dict) and isinstance(batch, Mapping) and batch.keys() == loaders.keys():
        parts = [(loader, batch[name]) for name, loader in loaders.items()]
    elif isinstance(loaders, (list, tuple)) and isinstance(batch, (list, tuple)) and len(batch) == len(loaders):
        parts = list(zip(loaders, batch, strict=True))
    else:
        return find_batch_size(batch)
    sizes = [find_combined_size(loader, part) for loader, part in parts if part is not None]
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None


def _size(tensor: torch.Tensor) -> int:
    return tensor.shape[0] if tensor.ndim else 1


def _unstacked(batch: Any) -> int | None:
    """Return the number of samples of a batch that has them one by one, or their fields in lists; None where not."""
    by_name = isinstance(batch, Mapping)
    parts: list[Any] = list(batch.values()) if by_name else list(batch) if isinstance(batch, (list, tuple)) else []
    if not parts:
        return None
    if not by_name and all(isinstance(each, Mapping) for each in parts):
        return len(parts)
    length = len(parts[0]) if isinstance(parts[0], (list, tuple)) else 0
    if not length or any(not isinstance(each, (list, tuple)) or len(each) != length for each in parts):
        return None
    leaves = [leaf for each in parts for leaf in each]
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if not tensors or (len(tensors) == len(leaves) and len({_size(leaf) for leaf in tensors}) == 1):
        # Stacked after all: each sample was a pair of pairs.
        return None
    # A field in one list is of one kind; a sample's fields are not.
    if len({_kind(leaf) for leaf in parts[0]}) == 1:
        return length
    return None if by_name else len(parts)


def _kind(leaf: Any) -> tuple[type, int]:
    return type(leaf), leaf.ndim if isinstance(leaf, torch.Tensor) else 0


def _first_size(value: Any, depth: int) -> int | None:
    if isinstance(value, torch.Tensor):
        return _size(value)
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, (list, tuple)):
        if not (len(value) > MAX_FIELDS and isinstance(value[0], (str, bytes, int, float))):
            parts = value
    elif is_dataclass(value) and not isinstance(value, type):
        parts = (getattr(value, field.name) for field in fields(value))
    if depth:
        for part in parts:
            size = _first_size(part, depth - 1)
            if size is not None:
                return size
    return None
