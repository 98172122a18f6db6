"""Which process of which run this is, and where its files lie."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Which process of which run this is.

    Attributes:
        run_id: Name of the run, the same on all ranks.
        rank: Global rank.
        local_rank: Rank on this host.
        world_size: Number of ranks.
        node_rank: Rank of this host.
        strategy: Class of Lightning's strategy; empty where there is none.
        job_id: The launcher's name of the job; None where it has none.
        attempt: How often the launcher has started it before; None where it does not tell.
    """

    run_id: str
    rank: int = 0
    local_rank: int = 0
    world_size: int = 1
    node_rank: int = 0
    strategy: str = ""
    job_id: str | None = None
    attempt: int | None = None

    @property
    def traces(self) -> str:
        """What the ids of batch traces are derived from: attempts under one name have each its own traces."""
        return f"{self.run_id}/attempt-{self.attempt}" if self.attempt else self.run_id


def run_directory(runs_dir: Path, identity: RunIdentity) -> Path:
    """Return where the files of all ranks of a run lie."""
    return runs_dir / identity.run_id


def rank_directory(runs_dir: Path, identity: RunIdentity) -> Path:
    """Return where a rank's files lie: the run's directory, or a folder in it where there are several ranks."""
    directory = run_directory(runs_dir, identity)
    return directory / f"rank-{identity.rank}" if identity.world_size > 1 else directory


def new_run_id() -> str:
    """Return a name for a run that sorts by time and is unique without coordination."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
