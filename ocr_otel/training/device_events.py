"""Events in the stream of the device that a Trainer uses."""

from __future__ import annotations

from typing import Any

import torch

from ocr_otel.recording.device_times import Marks


def marks_of(trainer: Any) -> Marks | None:
    """Return what marks the phases of kept batches in the device's stream; None where the device has no events."""
    match trainer.strategy.root_device.type:
        case "cuda":
            return Marks(lambda: torch.cuda.Event(enable_timing=True))
        case "xpu":
            return Marks(lambda: torch.xpu.Event(enable_timing=True))
    return None
