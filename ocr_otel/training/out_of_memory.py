"""Tells the recorder what held the memory, where an entry ends because there was none left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ocr_otel import semconv
from ocr_otel.recording import Recorder
from ocr_otel.resources import out_of_memory


class MemoryWatch:
    """Follows one entry.

    Args:
        recorder: Where it is told.
        snapshot: Whether the settings ask for a snapshot.
    """

    def __init__(self, recorder: Recorder, snapshot: bool) -> None:
        self._recorder = recorder
        self._history = snapshot and out_of_memory.begin_history()

    def ended(self, trainer: Any, error: BaseException | None) -> None:
        """The entry ends, by an exception where there is one."""
        if error is not None and out_of_memory.is_out_of_memory(error):
            attributes = out_of_memory.describe(error, trainer.lightning_module, trainer.optimizers)
            if self._history:
                directory = self._recorder.session.directory or Path.cwd()
                attributes[semconv.OOM_SNAPSHOT] = out_of_memory.write_snapshot(directory)
            self._recorder.event(semconv.OUT_OF_MEMORY, attributes)
        if self._history:
            out_of_memory.end_history()
