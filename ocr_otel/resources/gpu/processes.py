"""Whose memory it is on a device: the training's own, its dataloader workers', or that of others."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import psutil

from ocr_otel import semconv
from ocr_otel.resources.gpu.labels import Labels
from ocr_otel.resources.readings import Reading
from ocr_otel.semconv import ProcessRole

_FIRST_NAMESPACE: Final = "pid:[4026531836]"
"""The namespace of processes that is no container's; its number is a constant of Linux."""


def sees_all_processes() -> bool:
    """Return whether this process has the process ids that the driver knows: it is in no namespace of its own."""
    try:
        return str(Path("/proc/self/ns/pid").readlink()) == _FIRST_NAMESPACE
    except OSError:
        return False


class Roles:
    """Tells whose a process is, and remembers it as long as the process is seen."""

    def __init__(self) -> None:
        self._self = os.getpid()
        self._roles: dict[int, str] = {}

    def of(self, pids: Collection[int]) -> dict[int, str]:
        """Return the role of each process."""
        known = self._roles
        self._roles = {pid: known.get(pid) or self._role(pid) for pid in pids}
        return self._roles

    def _role(self, pid: int) -> str:
        if pid == self._self:
            return ProcessRole.MAIN
        try:
            process = psutil.Process(pid)
            ours = any(parent.pid == self._self for parent in process.parents())
            return ProcessRole.WORKER if ours and _rank(process.environ()) == _rank(os.environ) else ProcessRole.OTHER
        except psutil.Error:
            return ProcessRole.OTHER


def _rank(environment: Any) -> str:
    # Rank 0 starts the others of its host as its children: they are no workers of it.
    return environment.get("LOCAL_RANK") or "0"


class ProcessMemory:
    """Reads the memory of the processes that compute on a device.

    Args:
        nvml: The module `pynvml`.
        handle: NVML's handle of a GPU or an instance.
        labels: Of it.
        all_seen: Whether the driver's process ids are those of this process, as in no container: where they are not,
            and none of them is this process, whose the memory is cannot be told.
    """

    def __init__(self, nvml: ModuleType, handle: Any, labels: Labels, all_seen: bool) -> None:
        self._nvml = nvml
        self._handle = handle
        self._all_seen = all_seen
        self._roles = Roles()
        self._series = {
            str(role): labels.series(semconv.GPU_PROCESS_MEMORY, {semconv.PROCESS_ROLE: str(role)})
            for role in ProcessRole
        }

    def read(self) -> list[Reading]:
        """Read the memory by role.

        Raises:
            NVMLError: The processes cannot be listed.
        """
        # By its version: the function without is none of NVML's errors where the driver does not have it.
        found = self._nvml.nvmlDeviceGetComputeRunningProcesses_v3(self._handle)
        roles = self._roles.of({each.pid for each in found})
        if not self._all_seen and ProcessRole.MAIN not in roles.values():
            return []
        used: dict[str, int | None] = dict.fromkeys(self._series, 0)
        for each in found:
            role = roles[each.pid]
            so_far = used[role]
            used[role] = None if so_far is None or each.usedGpuMemory is None else so_far + each.usedGpuMemory
        return [(self._series[role], size) for role, size in used.items() if size is not None]
