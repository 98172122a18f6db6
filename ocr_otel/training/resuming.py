"""A training that goes on inside an epoch, of whose beginning Lightning does not tell again."""

from __future__ import annotations

from typing import Any


def resumes_inside_epoch(trainer: Any) -> bool:
    """Return whether the training that begins was resumed from a checkpoint that was saved before its epoch's end."""
    loop = trainer.fit_loop
    # A Lightning without the attribute tells the epoch's beginning in any case.
    return bool(getattr(loop, "restarted_mid_epoch", False)) and not loop.epoch_loop.batch_progress.is_last_batch
