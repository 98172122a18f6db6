"""Trace and span ids of batches, derived so that all ranks of a step, and a watchdog, meet without talking."""

from __future__ import annotations

from _blake2 import blake2b  # `hashlib` would load OpenSSL, which is larger than the whole watchdog.


def batch_trace_id(run: str, entry: int, loop: int, dataloader_idx: int, batch_idx: int) -> int:
    """Return the trace id of a batch, the same on every rank of the run.

    Args:
        run: Name of the run, with the attempt where it is not the first.
        entry: Number of the Trainer entry in this process, from 0.
        loop: Number of the epoch or validation in the entry, from 0.
        dataloader_idx: Which dataloader the batch comes from.
        batch_idx: Its index.
    """
    return _hash(f"{run}/{entry}/{loop}/{dataloader_idx}/{batch_idx}", 16)


def batch_span_id(trace_id: int, rank: int) -> int:
    """Return the id of the root span of a rank in a batch's trace."""
    return _hash(f"{trace_id:032x}/{rank}", 8)


def _hash(text: str, size: int) -> int:
    # An id of zero is invalid in OpenTelemetry; the chance is nil, the check free.
    return int.from_bytes(blake2b(text.encode(), digest_size=size).digest(), "big") or 1
