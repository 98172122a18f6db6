"""Who fetches a batch: Lightning's loop, or the module's own step."""

from __future__ import annotations

from typing import Any


def fetched_in_step(trainer: Any) -> bool:
    """Return whether the step of the loop that runs takes `dataloader_iter` and fetches its batches itself."""
    fetcher = getattr(trainer._active_loop, "_data_fetcher", None)
    return type(fetcher).__name__ == "_DataLoaderIterDataFetcher"
