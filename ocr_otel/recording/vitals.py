"""What a training does now, as numbers that its watchdog sees: told a few times an epoch, and by the batch path."""

from __future__ import annotations

import math
from time import perf_counter_ns
from typing import Final

import psutil

from ocr_otel.recording.loop import Loop
from ocr_otel.semconv import Section, Stage
from ocr_otel.watchdog.cells import Cell, Values

_STAGES: Final = {stage: number for number, stage in enumerate(Stage)}
_SECTIONS: Final = {section: number for number, section in enumerate(Section)}


class Vitals:
    """Writes the cells of a process.

    Args:
        cells: The cells.
    """

    def __init__(self, cells: Values) -> None:
        self._cells = cells
        self._process = psutil.Process()

    def entry_begins(self, number: int, offset: int) -> None:
        """An entry begins.

        Args:
            number: Its number in the process.
            offset: Unix time minus monotonic time, nanoseconds.
        """
        cells = self._cells
        cells[Cell.BATCH_BEGAN] = 0
        cells[Cell.EPOCH] = cells[Cell.BATCH_IDX] = cells[Cell.LOOP] = -1
        cells[Cell.ENTRY] = number
        cells[Cell.OFFSET] = offset
        self.section(Section.SETUP)

    def entry_ends(self) -> None:
        """Nothing is recorded any more."""
        self._cells[Cell.BATCH_BEGAN] = 0
        self._cells[Cell.SECTION] = -1

    def loop_runs(self, loop: Loop | None) -> None:
        """A loop begins, or goes on after another inside it; None where the last one is over."""
        cells = self._cells
        if loop is None:
            self.section(Section.BETWEEN)
            return
        cells[Cell.BATCH_BEGAN] = 0
        cells[Cell.STAGE] = _STAGES[loop.stage]
        cells[Cell.EPOCH] = loop.epoch
        cells[Cell.LOOP] = loop.number
        cells[Cell.BATCHES] = -1 if math.isinf(loop.total_batches) else int(loop.total_batches)
        cells[Cell.LONGEST_BATCH] = loop.longest_batch()
        self.section(Section.TRAIN if loop.stage is Stage.TRAIN else Section.EVALUATE)

    def section(self, section: Section) -> int:
        """Say what begins now; return the number of what went on before."""
        cells = self._cells
        before = int(cells[Cell.SECTION])
        cells[Cell.SECTION_BEGAN] = perf_counter_ns()
        cells[Cell.SECTION] = _SECTIONS[section]
        return before

    def back_to(self, number: int) -> None:
        """Go back to what `section` returned."""
        self._cells[Cell.SECTION_BEGAN] = perf_counter_ns()
        self._cells[Cell.SECTION] = number

    def look(self, now: int, loop: Loop | None, global_step: int) -> None:
        """Take what is known only now and then.

        Args:
            now: Unix time, nanoseconds.
            loop: The loop that runs.
            global_step: Optimiser steps so far.
        """
        cells = self._cells
        if loop is not None:
            cells[Cell.LONGEST_BATCH] = loop.longest_batch()
        cells[Cell.GLOBAL_STEP] = global_step
        cells[Cell.RSS] = self._process.memory_info().rss
        cells[Cell.SEEN] = now
