"""From which values on a panel changes its colour: those of the verdicts and of the alerts, so that all agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocr_otel.semconv import Bottleneck

VERDICT_SHARES: Final[Mapping[Bottleneck, float]] = {
    Bottleneck.DATA: 0.20,
    Bottleneck.TRANSFER: 0.20,
    Bottleneck.OPTIMIZER: 0.35,
    Bottleneck.LOGGING: 0.25,
    Bottleneck.CHECKPOINT: 0.10,
    Bottleneck.VALIDATION: 0.40,
    Bottleneck.COMPUTE: 0.60,
}
"""Share of the time from which a verdict is given; those of `ocr_otel.diagnosis`."""
LOGGING_SECONDS_PER_BATCH: Final = 0.001
"""Below that, callbacks and Lightning's loop are no verdict."""

# Of the alert rules, each named by its alert.
TRAINING_RUN_STALLED: Final = 300
"""Seconds since the last batch."""
TRAINING_DATA_STARVATION: Final = 0.3
TRAINING_GPU_IDLE: Final = 0.2
TRAINING_GPU_MEMORY_NEARLY_FULL: Final = 0.97
TRAINING_HOST_MEMORY_PRESSURE: Final = 0.92
TRAINING_DISK_NEARLY_FULL: Final = 0.92
TRAINING_STRAGGLER: Final = 0.02
"""Seconds after the median rank."""
TELEMETRY_QUEUE_FILLING: Final = 0.5
