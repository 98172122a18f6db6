"""One module a kind of bottleneck: each says whether it is one, from which share of the time, and what to try."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ocr_otel.diagnosis.kinds import (
    checkpoint,
    communication,
    compilation,
    cpu_contention,
    data,
    launch,
    logging,
    memory,
    optimizer,
    synchronization,
    transfer,
    validation,
)
from ocr_otel.diagnosis.observation import Observation
from ocr_otel.diagnosis.verdict import Verdict

Kind = Callable[[Observation], Verdict | None]

DEFECTS: Final[tuple[Kind, ...]] = (
    data.judge,
    transfer.judge,
    launch.judge,
    synchronization.judge,
    communication.judge,
    optimizer.judge,
    checkpoint.judge,
    validation.judge,
    logging.judge,
    compilation.judge,
    memory.judge,
    cpu_contention.judge,
)
"""What takes time that could be had back; `compute` and `memory_bandwidth` are what is left when there is none."""
