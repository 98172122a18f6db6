"""Numbers of a training that change with each batch, in memory that it shares with its watchdog.

A store of 40 ns on the batch path, which the kernel keeps when the process is killed. It is memory and not a file: a
store into a mapped file kills the process when its disk, or its file server, is gone.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import MutableSequence
from enum import IntEnum
from typing import Final

SIZE: Final = mmap.PAGESIZE

Values = MutableSequence[int] | memoryview


class Cell(IntEnum):
    """What a cell holds: a signed 64-bit integer. Times are monotonic nanoseconds unless they are said to be Unix."""

    BATCH_BEGAN = 0
    """When the batch that runs began; 0 between batches."""
    BATCH_IDX = 1
    """Its index."""
    BATCHES = 2
    """Batches of its loop; -1 where unknown."""
    STAGE = 3
    """Its stage, by its place in `semconv.Stage`."""
    EPOCH = 4
    """Its epoch."""
    LOOP = 5
    """Number of its loop in the entry."""
    ENTRY = 6
    """Number of the entry in the process."""
    GLOBAL_STEP = 7
    """Optimiser steps, at the last look."""
    OFFSET = 8
    """Unix time minus monotonic time."""
    SEEN = 9
    """Unix time of the last look at the training by its own background thread."""
    SECTION = 10
    """What goes on, by its place in `semconv.Section`; -1 while no entry is recorded."""
    SECTION_BEGAN = 11
    """Since when."""
    LONGEST_BATCH = 12
    """Longest batch of the section so far, nanoseconds."""
    RSS = 13
    """Resident memory of the process at the last look, bytes; 0 where unknown."""


class Cells:
    """The cells of a process.

    Args:
        file: File descriptor of another process's cells; None to make them.

    Attributes:
        file: File descriptor of the memory.
        values: The cells, by `Cell`.

    Raises:
        OSError: There is no memory for them.
    """

    def __init__(self, file: int | None = None) -> None:
        self.file: int = file if file is not None else os.memfd_create("ocr_otel-cells", os.MFD_CLOEXEC)
        if file is None:
            os.ftruncate(self.file, SIZE)
        self._map = mmap.mmap(self.file, SIZE)
        self.values: memoryview = memoryview(self._map).cast("q")
        if file is None:
            self.values[Cell.SECTION] = -1


def private_cells() -> array[int]:
    """Return cells that nobody else sees, for a process without a watchdog."""
    return array("q", [0] * len(Cell))
