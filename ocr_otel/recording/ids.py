"""The ids of a batch, and ids that are preset for the next root span of a thread."""

from __future__ import annotations

import threading

from opentelemetry.sdk.trace import Tracer

from ocr_otel.telemetry import PrivateRandomIds, RunIdentity
from ocr_otel.watchdog.batch_ids import batch_span_id, batch_trace_id


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


def batch_ids(
    identity: RunIdentity, entry: int, loop: int, dataloader_idx: int | None, batch_idx: int
) -> tuple[int, int]:
    """Return the ids of the trace of a batch, and of this rank's root span in it.

    Args:
        identity: Which process of which run.
        entry: Number of the Trainer entry in this process, from 0.
        loop: Number of the epoch or validation in the entry, from 0.
        dataloader_idx: Which dataloader the batch comes from; None where there is one.
        batch_idx: Its index.
    """
    trace_id = batch_trace_id(identity.traces, entry, loop, dataloader_idx or 0, batch_idx)
    return trace_id, batch_span_id(trace_id, identity.rank)
