"""Which process of which run this is, asked of a Trainer or a Fabric."""

from __future__ import annotations

from typing import Any

from ocr_otel.settings import Settings
from ocr_otel.telemetry import RunIdentity, new_run_id


def identity_of(owner: Any, settings: Settings) -> RunIdentity:
    """Return the identity of this rank; rank 0 names the run for all.

    Args:
        owner: A Trainer or a Fabric, of either package.
        settings: May name the run.
    """
    run_id = settings.run_id or new_run_id()
    return RunIdentity(
        run_id=owner.strategy.broadcast(run_id, src=0) if owner.world_size > 1 else run_id,
        rank=owner.global_rank,
        local_rank=owner.local_rank,
        world_size=owner.world_size,
    )
