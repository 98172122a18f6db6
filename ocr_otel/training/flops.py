"""Model FLOPs utilisation by Lightning's own rule: `flops_per_batch` of the module over what the device offers."""

from __future__ import annotations

import importlib
from typing import Any


def model_flops_utilisation(trainer: Any, module: Any, batches_per_second: float) -> float | None:
    """Return the MFU, or None where the module does not say its FLOPs or Lightning does not know the device.

    The convention is that of Lightning's `ThroughputMonitor`: an attribute `flops_per_batch` of the module.
    """
    flops_per_batch = getattr(module, "flops_per_batch", None)
    if flops_per_batch is None:
        return None
    package = type(trainer).__module__.partition(".")[0]
    throughput = importlib.import_module(
        "lightning.fabric.utilities.throughput" if package == "lightning" else "lightning_fabric.utilities.throughput"
    )
    dtype = next((parameter.dtype for parameter in module.parameters()), None)
    if dtype is None:
        return None
    available = throughput.get_available_flops(trainer.strategy.root_device, dtype)
    return float(flops_per_batch) * batches_per_second / available if available else None
