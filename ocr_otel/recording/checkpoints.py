"""Checkpoints of an entry: their spans, their metrics, and the time that they took of an epoch or outside of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ocr_otel import semconv
from ocr_otel.recording.batch_path import BatchPath
from ocr_otel.recording.instruments import Instruments
from ocr_otel.recording.run_trace import RunTrace


class Checkpoints:
    """Follows one entry. Times are monotonic nanoseconds.

    Args:
        run: The entry's trace.
        path: The batch path, which knows the loop that runs.
        instruments: The metrics.
        unix: Makes a Unix time of a monotonic one.

    Attributes:
        outside_ns: Time of writing checkpoints outside of epochs and validations.
    """

    def __init__(self, run: RunTrace, path: BatchPath, instruments: Instruments, unix: Callable[[int], int]) -> None:
        self.outside_ns: int = 0
        self._run = run
        self._path = path
        self._instruments = instruments
        self._unix = unix

    def saved(self, start: int, end: int, file: str, size: int | None) -> None:
        """A checkpoint was written; `size` is in bytes, None where unknown."""
        attributes: dict[str, Any] = {semconv.CHECKPOINT_FILE: file}
        if size is not None:
            attributes[semconv.CHECKPOINT_SIZE_ATTR] = size
        self._add(semconv.CHECKPOINT_SAVE, start, end, attributes)
        if self._path.loop is not None:
            self._path.loop.checkpoint_ns += end - start
            self._path.loop.checkpoints += 1
        else:
            self.outside_ns += end - start
        self._instruments.checkpoint_done((end - start) / 1e9, size)

    def loaded(self, start: int, end: int, file: str) -> None:
        """A checkpoint was restored."""
        self._add(semconv.CHECKPOINT_LOAD, start, end, {semconv.CHECKPOINT_FILE: file})

    def _add(self, name: str, start: int, end: int, attributes: Mapping[str, Any]) -> None:
        parent = self._path.loop.span if self._path.loop is not None else None
        self._run.add(name, self._unix(start), self._unix(end), attributes, parent)
