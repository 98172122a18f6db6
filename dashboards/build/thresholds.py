"""From which values on a panel changes its colour: those of the verdicts and of the alerts, so that all agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocr_otel.diagnosis.thresholds import THRESHOLDS
from ocr_otel.semconv import Bottleneck

VERDICT_SHARES: Final[Mapping[Bottleneck, float]] = {
    kind: THRESHOLDS[kind]
    for kind in (
        Bottleneck.DATA,
        Bottleneck.TRANSFER,
        Bottleneck.COMMUNICATION,
        Bottleneck.OPTIMIZER,
        Bottleneck.LOGGING,
        Bottleneck.CHECKPOINT,
        Bottleneck.VALIDATION,
        Bottleneck.COMPUTE,
    )
}
"""Share of the time from which a verdict is given, of the kinds that phases show."""

# Of the alert rules, each named by its alert.
TRAINING_RUN_STALLED: Final = 300
"""Seconds since the last batch."""
TRAINING_DATA_STARVATION: Final = 0.3
TRAINING_GPU_IDLE: Final = 0.2
TRAINING_GPU_MEMORY_NEARLY_FULL: Final = 0.97
TRAINING_HOST_MEMORY_PRESSURE: Final = 0.92
TRAINING_DISK_NEARLY_FULL: Final = 0.92
TRAINING_STRAGGLER: Final = 0.02
"""Seconds after the median of the others."""
TELEMETRY_QUEUE_FILLING: Final = 0.5
