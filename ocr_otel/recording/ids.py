"""Trace and span ids of batches, derived so that all ranks of a step meet in one trace without talking."""

from __future__ import annotations

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
    """Gives the ids that were preset for the next root span, else random ones."""

    def __init__(self) -> None:
        super().__init__()
        self.trace_id = 0
        self.span_id = 0

    def generate_trace_id(self) -> int:
        """Return the preset trace id once, else a new one."""
        preset, self.trace_id = self.trace_id, 0
        return preset or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the preset span id once, else a new one."""
        preset, self.span_id = self.span_id, 0
        return preset or super().generate_span_id()


def preset_ids(tracer: object) -> PresetIds | None:
    """Install `PresetIds` in a tracer; return None where it is not the SDK's and ids cannot be set."""
    if not isinstance(tracer, Tracer):
        return None
    if not isinstance(tracer.id_generator, PresetIds):
        tracer.id_generator = PresetIds()
    return tracer.id_generator
