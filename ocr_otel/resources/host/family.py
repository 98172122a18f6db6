"""Which processes belong to a training: those below it, but for its other ranks."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

import psutil

from ocr_otel.resources.host.reading import read_or_none

_MAX_DEPTH: Final = 8
_RANK: Final = "LOCAL_RANK"


def children_of(pid: int, proc: str = "/proc") -> list[int] | None:
    """Return the children that a process's first thread started; None where the kernel keeps no such list.

    Dataloaders' workers are among them unless something iterates a loader in a thread of its own.
    """
    content = read_or_none(f"{proc}/{pid}/task/{pid}/children")
    return None if content is None else [int(word) for word in content.split()]


def descendants_of(pid: int, left_out: Collection[int], proc: str = "/proc") -> list[int]:
    """Return all processes below a process, whichever thread started them; costs a read for each thread.

    Args:
        pid: The process.
        left_out: Processes that do not belong to it, nor do those below them.
        proc: Where procfs is.
    """
    if children_of(pid, proc) is None:
        return _by_parents(pid, left_out)
    found: dict[int, None] = {}
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        try:
            threads = os.listdir(f"{proc}/{parent}/task")
        except OSError:
            continue
        for thread in threads:
            for word in (read_or_none(f"{proc}/{parent}/task/{thread}/children") or b"").split():
                child = int(word)
                if child not in found and child not in left_out:
                    found[child] = None
                    waiting.append(child)
    return list(found)


def is_below(pid: int, ancestor: int, proc: str = "/proc") -> bool:
    """Whether a process was started by another, or by one that it started."""
    for _ in range(_MAX_DEPTH):
        stat = read_or_none(f"{proc}/{pid}/stat")
        if stat is None:
            return False
        pid = int(stat[stat.rindex(b")") + 2 :].split()[1])
        if pid == ancestor:
            return True
        if pid <= 1:
            return False
    return False


def is_other_rank(pid: int, proc: str = "/proc") -> bool:
    """Whether a process is another rank of the same training, as Lightning starts them from the first one."""
    environment = read_or_none(f"{proc}/{pid}/environ") or b""
    for entry in environment.split(b"\0"):
        name, _, value = entry.decode(errors="replace").partition("=")
        if name == _RANK:
            return value != os.environ.get(_RANK, "0")
    return False


def _by_parents(pid: int, left_out: Collection[int]) -> list[int]:
    try:
        parents = {child.pid: child.ppid() for child in psutil.Process(pid).children(recursive=True)}
    except psutil.Error:
        return []
    found = []
    for child in parents:
        above = child
        while above in parents and above not in left_out:
            above = parents[above]
        if above == pid:
            found.append(child)
    return found
