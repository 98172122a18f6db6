"""What held the memory when it ran out."""

from __future__ import annotations

import contextlib
import gc
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import psutil
import torch

from ocr_otel import semconv
from ocr_otel.private import private_file
from ocr_otel.resources.torch_memory import statistics

LARGEST: Final = 5
"""Tensors that are named."""
HISTORY_ENTRIES: Final = 100_000
"""Allocations that a snapshot remembers: PyTorch's examples have as many, some 100 MB of the host's memory at most."""
SNAPSHOT: Final = "memory-snapshot.pickle"

_UNITS: Final = {"bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_REQUESTED: Final = re.compile(r"ried to allocate ([\d.]+) (bytes|KiB|MiB|GiB)")
_HOST: Final = "DefaultCPUAllocator"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory ran out, a device's or the host's."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and _HOST in str(error)
    )


def describe(error: BaseException, module: torch.nn.Module, optimizers: Sequence[Any]) -> dict[str, Any]:
    """Return the attributes of `semconv.OUT_OF_MEMORY`.

    Args:
        error: The exception.
        module: The module that was trained.
        optimizers: Its optimisers.
    """
    attributes: dict[str, Any] = {}
    requested = _REQUESTED.search(str(error))
    if requested is not None:
        attributes[semconv.OOM_REQUESTED] = int(float(requested[1]) * _UNITS[requested[2]])
    device = torch.device("cpu")
    if isinstance(error, torch.OutOfMemoryError):
        device = next((each.device for each in module.parameters()), device)
        attributes |= _counted(device)
    else:
        attributes[semconv.OOM_RESIDENT] = psutil.Process(os.getpid()).memory_info().rss
    attributes[semconv.OOM_DEVICE] = str(device)
    parameters = [*module.parameters(), *module.buffers()]
    held = {
        semconv.OOM_PARAMETERS: _size(parameters, device),
        semconv.OOM_GRADIENTS: _size((each.grad for each in parameters if each.grad is not None), device),
        semconv.OOM_OPTIMIZERS: _size(
            (
                value
                for optimizer in optimizers
                for state in optimizer.state.values()
                for value in (state.values() if isinstance(state, dict) else ())
                if isinstance(value, torch.Tensor)
            ),
            device,
        ),
    }
    attributes |= held
    if semconv.OOM_ALLOCATED in attributes:
        attributes[semconv.OOM_OTHER] = max(0, attributes[semconv.OOM_ALLOCATED] - sum(held.values()))
    attributes[semconv.OOM_LARGEST] = _largest(device)
    return attributes


def _counted(device: torch.device) -> dict[str, int]:
    counted = statistics().get(str(device), {})
    names = {
        semconv.OOM_ALLOCATED: "allocated_bytes.all.current",
        semconv.OOM_RESERVED: "reserved_bytes.all.current",
        semconv.OOM_INACTIVE: "inactive_split_bytes.all.current",
    }
    found = {name: counted[key] for name, key in names.items() if key in counted}
    if device.type == "cuda":
        found[semconv.OOM_FREE], found[semconv.OOM_TOTAL] = torch.cuda.mem_get_info(device)
    return found


def _size(tensors: Iterable[torch.Tensor], device: torch.device) -> int:
    # Views share their storage: it is counted once.
    storages = {
        storage.data_ptr(): storage.nbytes()
        for tensor in tensors
        if tensor.device == device
        for storage in [tensor.untyped_storage()]
    }
    return sum(storages.values())


def _largest(device: torch.device) -> tuple[str, ...]:
    found: dict[int, tuple[int, str]] = {}
    for each in gc.get_objects():
        # By its type: proxies of other libraries run code of theirs when they are asked for their class.
        if issubclass(type(each), torch.Tensor) and each.device == device:
            # Sparse tensors and those that only stand for others have no storage.
            with contextlib.suppress(RuntimeError):
                storage = each.untyped_storage()
                kind = str(each.dtype).removeprefix("torch.")
                text = f"{kind} {list(each.shape)}, {storage.nbytes() / 2**20:,.1f} MiB"
                found[storage.data_ptr()] = storage.nbytes(), text
    return tuple(text for _, text in sorted(found.values(), reverse=True)[:LARGEST])


def begin_history() -> bool:
    """Let PyTorch remember its allocations, for a snapshot; return whether it does."""
    if not torch.cuda.is_available():
        return False
    torch.cuda.memory._record_memory_history(max_entries=HISTORY_ENTRIES)
    return True


def end_history() -> None:
    """Let PyTorch forget them."""
    torch.cuda.memory._record_memory_history(enabled=None)


def write_snapshot(directory: Path) -> str:
    """Write what PyTorch remembers into a directory; return the file's name."""
    torch.cuda.memory._dump_snapshot(str(private_file(directory / SNAPSHOT)))
    return SNAPSHOT
