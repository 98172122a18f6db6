"""Notes that the ranks of a run leave for one another, in the store of their process group.

No collective is used: a rank that is not recorded, or that comes late, or is gone, holds up nobody.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Any, Final, Protocol

_POLL_SECONDS: Final = 0.02
_TIMEOUT: Final = timedelta(seconds=5)
"""After which a store that does not answer is taken for gone; its own, of minutes, is for collectives."""
_LAYOUT: Final = "ocr_otel/1"
"""Ranks with another layout of their notes leave them elsewhere."""


class Store(Protocol):
    """What is used of a `torch.distributed.Store`."""

    def set(self, key: str, value: bytes, /) -> None:
        """Write a value."""

    def get(self, key: str, /) -> bytes:
        """Return a value; waits for one that is not there."""

    def check(self, keys: list[str], /) -> bool:
        """Return whether all of them are there."""

    def compare_set(self, key: str, expected: str, desired: str, /) -> bytes:
        """Write a value where there is none, and return what is there then."""


class Board:
    """Notes by name.

    Args:
        store: Where they lie.
        place: Below this name.
    """

    def __init__(self, store: Store, place: str = "") -> None:
        self._store = store
        self._place = place

    def leave(self, name: str, note: bytes) -> None:
        """Leave a note, in the place of the one before.

        Raises:
            RuntimeError: The store is gone, as it is when the rank that holds it is.
        """
        self._store.set(self._key(name), note)

    def claim(self, name: str, note: str) -> str:
        """Leave a note where there is none, and return the one that is there then.

        Raises:
            RuntimeError: The store is gone.
        """
        return self._store.compare_set(self._key(name), "", note).decode()

    def read(self, name: str) -> bytes | None:
        """Return a note; None where there is none.

        Raises:
            RuntimeError: The store is gone.
        """
        key = self._key(name)
        # Asked first, for the store itself would wait for it.
        return self._store.get(key) if self._store.check([key]) else None

    def read_all(self, names: Sequence[str]) -> list[bytes | None]:
        """Return several notes, with two questions in all where all of them are there.

        Raises:
            RuntimeError: The store is gone.
        """
        keys = [self._key(name) for name in names]
        together = getattr(self._store, "multi_get", None)
        if together is not None and keys and self._store.check(keys):
            return list(together(keys))
        return [self.read(name) for name in names]

    def _key(self, name: str) -> str:
        return f"{_LAYOUT}/{self._place}{name}"

    def wait_for(self, name: str, seconds: float) -> bytes | None:
        """Return a note as soon as it is there; None where it is not within a time.

        Raises:
            RuntimeError: The store is gone.
        """
        deadline = monotonic() + seconds
        while True:
            note = self.read(name)
            if note is not None or monotonic() >= deadline:
                return note
            time.sleep(_POLL_SECONDS)


def board_of_process_group() -> Board | None:
    """Return the board of the default process group; None where there is none."""
    store = _store()
    if store is None:
        return None
    # The agent of torchrun keeps one store for all attempts, in which not every version of PyTorch separates them.
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT")
    return Board(store, f"attempt-{attempt}/" if attempt else "")


def board_of_job() -> Board | None:
    """Return a board that outlives a restart by torchrun, whose agent keeps the store; None without a process group."""
    store = _store()
    if store is None:
        return None
    # Below the prefixes of the process group all attempts meet.
    while (below := getattr(store, "underlying_store", None)) is not None:
        store = below
    return Board(store)


def _store() -> Any:
    import torch.distributed as dist

    if not dist.is_available() or not dist.is_initialized():
        return None
    find = getattr(dist.distributed_c10d, "_get_default_store", None)
    if find is None:
        return None
    store = find()
    if not hasattr(store, "clone"):
        return store
    # A connection of its own: one that is asked by two threads lets one wait for the other.
    own = store.clone()
    own.set_timeout(_TIMEOUT)
    return own
