"""How many samples a batch holds, found as Lightning finds it, without its warnings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def find_batch_size(batch: Any) -> int:
    """Return the size of the first tensor in a batch; 1 for a batch that has none.

    Lightning's `extract_batch_size` looks at every tensor to warn of ambiguity; it takes the first one's size all the
    same, which is what is returned here.
    """
    if isinstance(batch, torch.Tensor):
        return batch.shape[0] if batch.ndim else 1
    if isinstance(batch, (list, tuple)) and batch and isinstance(batch[0], torch.Tensor):
        first = batch[0]
        return first.shape[0] if first.ndim else 1
    try:
        return int(next(_lightning_walk()(batch), 1))
    except Exception:
        return 1


def _lightning_walk() -> Callable[[Any], Any]:
    global _walk
    if _walk is None:
        try:
            from lightning.pytorch.utilities.data import _extract_batch_size
        except ImportError:
            from pytorch_lightning.utilities.data import _extract_batch_size
        _walk = _extract_batch_size
    return _walk


_walk: Callable[[Any], Any] | None = None
