"""Which process of which run this is, asked of a Trainer or a Fabric and of who launched it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final

from ocr_otel.ranks import board_of_process_group
from ocr_otel.settings import RUN_ID, Settings
from ocr_otel.telemetry import RunIdentity, new_run_id

FIRST_RANK_SECONDS: Final = 10.0
"""How long other ranks wait for rank 0 to name the run: they are all at the same place of their script."""
_NOTE: Final = "run"
_NO_JOB: Final = "none"
"""What torchrun calls a job that was given no name."""


def identity_of(owner: Any, settings: Settings) -> RunIdentity:
    """Return the identity of this rank; one rank names the run for all.

    Args:
        owner: A Trainer or a Fabric, of either package.
        settings: May name the run.
    """
    run_id = settings.run_id or new_run_id()
    job, attempt = job_of(os.environ)
    return RunIdentity(
        run_id=_shared(run_id, owner) if owner.world_size > 1 else run_id,
        rank=owner.global_rank,
        local_rank=owner.local_rank,
        world_size=owner.world_size,
        node_rank=getattr(owner, "node_rank", 0) or 0,
        strategy=type(owner.strategy).__name__,
        job_id=job,
        attempt=attempt,
    )


def job_of(environ: Mapping[str, str]) -> tuple[str | None, int | None]:
    """Return the launcher's name of the job and how often it has started it before; None where it tells neither."""
    if "TORCHELASTIC_RUN_ID" in environ:
        name = environ["TORCHELASTIC_RUN_ID"]
        return name if name != _NO_JOB else None, _number(environ.get("TORCHELASTIC_RESTART_COUNT"))
    if "SLURM_JOB_ID" in environ:
        return environ["SLURM_JOB_ID"], _number(environ.get("SLURM_RESTART_COUNT", "0"))
    return environ.get("RAY_JOB_ID"), None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _shared(run_id: str, owner: Any) -> str:
    """Return what all ranks call the run: what rank 0 does.

    Not by a collective: a rank that is not recorded takes part in none of ours, and would be waited for for ever. Where
    rank 0 itself is not recorded, the first of the others names it.
    """
    board = board_of_process_group()
    if board is None:
        # Such as XLA's: its ranks are told by Lightning alone.
        return str(owner.strategy.broadcast(run_id, src=0))
    if owner.global_rank:
        note = board.wait_for(_NOTE, FIRST_RANK_SECONDS)
        if note is not None:
            return _checked(note.decode(errors="replace"), run_id)
    return _checked(board.claim(_NOTE, run_id), run_id)


def _checked(told: str, own: str) -> str:
    return told if re.fullmatch(RUN_ID, told) else own
