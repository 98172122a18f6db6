"""Readings of the training process, its dataloader workers, the disks under them, their cgroup and their host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ocr_otel.resources.host.cgroup import CgroupSource
from ocr_otel.resources.host.disks import DiskSource
from ocr_otel.resources.host.machine import MachineSource
from ocr_otel.resources.host.pressure import PressureSource
from ocr_otel.resources.host.processes import ProcessSource
from ocr_otel.resources.host.system import instrument_system
from ocr_otel.resources.readings import Source

__all__ = ["host_sources", "instrument_system"]


def host_sources(
    workers: Callable[[], Mapping[int, int]], paths: Callable[[], Sequence[Path]], local_rank: int = 0
) -> list[Source]:
    """Return what there is to read beside devices, for one sampler about once a second.

    Args:
        workers: Returns worker ids by pid, of all workers known so far; those that have ended may stay in it.
        paths: Returns the places whose disks matter: working directory, checkpoints, data set.
        local_rank: Rank on this host: what is of the whole host (`system.*`) is read by the first.
    """
    sources: list[Source] = [ProcessSource(workers), DiskSource(paths), PressureSource(), CgroupSource()]
    if local_rank == 0:
        sources.append(MachineSource())
    return sources
