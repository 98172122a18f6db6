"""Trace and span ids of batches, derived so that all ranks of a step meet in one trace without talking."""

from __future__ import annotations

import threading
from hashlib import blake2b

from opentelemetry.sdk.trace import Tracer

from ocr_otel.telemetry import PrivateRandomIds


def batch_trace_id(run_id: str, entry: int, loop: int, dataloader_idx: int, batch_idx: int) -> int:
    """Return the trace id of a batch, the same on every rank of the run.

    Args:
        run_id: Name of the run.
        entry: Number of the Trainer entry in this process, from 0.
        loop: Number of the epoch or validation in the entry, from 0.
        dataloader_idx: Which dataloader the batch comes from.
        batch_idx: Its index.
    """
    return _hash(f"{run_id}/{entry}/{loop}/{dataloader_idx}/{batch_idx}", 16)


def batch_span_id(trace_id: int, rank: int) -> int:
    """Return the id of the root span of a rank in a batch's trace."""
    return _hash(f"{trace_id:032x}/{rank}", 8)


def _hash(text: str, size: int) -> int:
    # An id of zero is invalid in OpenTelemetry; the chance is nil, the check free.
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "big") or 1


class PresetIds(PrivateRandomIds):
    """Gives the ids that a thread has preset for its next root span, else random ones."""

    def __init__(self) -> None:
        super().__init__()
        self._preset = threading.local()

    def preset(self, trace_id: int, span_id: int) -> None:
        """Set the ids of the next span that this thread starts."""
        self._preset.ids = [trace_id, span_id]

    def generate_trace_id(self) -> int:
        """Return the preset trace id once, else a new one."""
        return self._take(0) or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the preset span id once, else a new one."""
        return self._take(1) or super().generate_span_id()

    def _take(self, which: int) -> int:
        preset: list[int] | None = getattr(self._preset, "ids", None)
        if preset is None:
            return 0
        value, preset[which] = preset[which], 0
        return value


def preset_ids(tracer: object) -> PresetIds | None:
    """Install `PresetIds` in a tracer; return None where it is not the SDK's and ids cannot be set."""
    if not isinstance(tracer, Tracer):
        return None
    if not isinstance(tracer.id_generator, PresetIds):
        tracer.id_generator = PresetIds()
    return tracer.id_generator
