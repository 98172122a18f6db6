"""The preallocated buffer between the batch path, which writes a row a batch, and the drain, which reads many."""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
import numpy.typing as npt

from ocr_otel.recording.clock import CODES

ROWS: Final = 4096
SAMPLES: Final = 0
START: Final = 1
DURATION: Final = 2
PHASES: Final = 3
"""First of the columns by code, in the order of `clock`."""
WIDTH: Final = PHASES + CODES


class BatchRing:
    """Rows of finished batches; one writer, and readers that hold the recorder's lock.

    Attributes:
        written: Rows written since the beginning.
        read: Rows read since the beginning.
    """

    __slots__ = ("_array", "_rows", "read", "written")

    def __init__(self) -> None:
        self._array = array("q", bytes(8 * ROWS * WIDTH))
        self._rows: npt.NDArray[np.int64] = np.frombuffer(self._array, dtype=np.int64).reshape(ROWS, WIDTH)
        self.written = 0
        self.read = 0

    def write(self, samples: int, start: int, duration: int, exclusive: list[int]) -> int:
        """Write a row and return how many wait to be read; the caller drains before `ROWS` are."""
        written = self.written
        base = (written % ROWS) * WIDTH
        cells = self._array
        cells[base] = samples
        cells[base + 1] = start
        cells[base + 2] = duration
        cells[base + 3] = exclusive[0]
        cells[base + 4] = exclusive[1]
        cells[base + 5] = exclusive[2]
        cells[base + 6] = exclusive[3]
        cells[base + 7] = exclusive[4]
        cells[base + 8] = exclusive[5]
        cells[base + 9] = exclusive[6]
        self.written = written = written + 1
        return written - self.read

    def take(self) -> npt.NDArray[np.int64]:
        """Return a copy of the rows not yet read, shape (n, WIDTH), and mark them read."""
        written = self.written
        rows = self._rows[np.arange(self.read, written) % ROWS]
        self.read = written
        return rows


assert WIDTH == 10, "BatchRing.write names every column"
