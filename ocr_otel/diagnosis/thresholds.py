"""From which share of the time each part is a verdict, and why from there.

What is at stake must be worth a person's change: a tenth of the time that is pure waste is, for without it the
training is 1.11 times as fast. Parts that every training needs have to take more than a healthy one spends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ocr_otel.semconv import Bottleneck

MIN_BATCHES: Final = 5
"""Fewer training batches than this are start-up, not a training that could be judged."""

DATA: Final = 0.20
"""A loop whose data is ready still takes it out of a queue, and without workers a light dataset costs some per cent:
from a fifth on (1.25 times as fast without) it is the loader that sets the pace."""
TRANSFER: Final = 0.15
"""A copy that overlaps costs the loop next to nothing, one that does not a few per cent; more has a defect."""
LAUNCH: Final = 0.30
"""Eager PyTorch always leaves its operators or its device waiting for Python a little, a quarter on small models; from
there on the host sets the pace."""
COMPUTE: Final = 0.75
"""That the model's own arithmetic is most of the time is as it should be; from three quarters on it is the limit."""
MEMORY_BANDWIDTH: Final = 0.60
"""Share of the operators' own time that only moves memory, above which faster arithmetic would help less than fusing:
a convolutional or transformer model has a fifth to a half of it."""
SYNCHRONIZATION: Final = 0.10
"""Waste: nothing in a training needs the host to wait for the device at each step."""
COMMUNICATION: Final = 0.10
"""Waste: gradients can be reduced while the backward pass goes on, and ranks that do alike need not wait."""
OPTIMIZER: Final = 0.35
"""Each step reads and writes every parameter several times, which on small batches takes up to a third."""
OPTIMIZER_FOR_LOOP: Final = 0.30
"""Of a step that runs tensor by tensor a flag saves about two thirds, which then is a fifth of the time."""
CHECKPOINT: Final = 0.10
"""Waste while the training waits for it."""
VALIDATION: Final = 0.30
"""A tenth to a fifth of the data, forward only, once an epoch, costs up to a tenth; three tenths are too often."""
LOGGING: Final = 0.15
"""Lightning's default callbacks and a few logged values cost some per cent of all but tiny batches."""
COMPILE: Final = 0.10
"""Waste, as far as the code had been compiled before; the first compilation is not counted."""
MEMORY: Final = 0.10
"""Waste: pauses of the garbage collector, and waiting for memory that is short."""
CPU_CONTENTION: Final = 0.20
"""Any machine has other work to do now and then; a fifth of the time is lost where a training has more threads than
CPUs, or less quota than threads."""
CPU_CONTENTION_BY_OTHERS: Final = 0.40
"""What others do on a shared machine is no defect of the training until it takes nearly half of its time."""

THRESHOLDS: Final[Mapping[Bottleneck, float]] = {
    Bottleneck.DATA: DATA,
    Bottleneck.TRANSFER: TRANSFER,
    Bottleneck.LAUNCH: LAUNCH,
    Bottleneck.COMPUTE: COMPUTE,
    Bottleneck.MEMORY_BANDWIDTH: MEMORY_BANDWIDTH,
    Bottleneck.SYNCHRONIZATION: SYNCHRONIZATION,
    Bottleneck.COMMUNICATION: COMMUNICATION,
    Bottleneck.OPTIMIZER: OPTIMIZER,
    Bottleneck.CHECKPOINT: CHECKPOINT,
    Bottleneck.VALIDATION: VALIDATION,
    Bottleneck.LOGGING: LOGGING,
    Bottleneck.COMPILE: COMPILE,
    Bottleneck.MEMORY: MEMORY,
    Bottleneck.CPU_CONTENTION: CPU_CONTENTION,
}
"""By kind, for dashboards and documentation."""

CALLBACKS_SECONDS_PER_BATCH: Final = 0.0005
"""Below half a millisecond a batch, hooks and `self.log` are the fixed cost of tiny steps, not a defect."""
LOOP_SECONDS_PER_BATCH: Final = 0.001
"""What Lightning's own loop takes of every batch, at most, on a slow machine: no defect, and left out."""
TRANSFER_SECONDS_PER_BATCH: Final = 0.0002
"""Below that it is Lightning walking through the batch."""
