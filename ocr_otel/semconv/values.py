"""The values that attributes may have."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Values of `training.stage`: Lightning's `RunningStage`."""

    TRAIN = "train"
    SANITY_CHECK = "sanity_check"
    VALIDATE = "validate"
    TEST = "test"
    PREDICT = "predict"


class Phase(StrEnum):
    """Values of `training.phase`: the parts of one batch, which add up to its duration."""

    FETCH = "fetch"
    """The loop waits for the dataloader."""
    TRANSFER = "transfer"
    """Host to device, with the batch-transfer hooks of the module."""
    FORWARD = "forward"
    """`training_step`, `validation_step`, `test_step` or `predict_step`, without what is counted below."""
    BACKWARD = "backward"
    """The backward pass."""
    OPTIMIZER = "optimizer"
    """The optimiser alone, with gradient clipping and zeroing."""
    CALLBACKS = "callbacks"
    """Hooks of callbacks and of the module around the batch: progress bar, loggers' callbacks, schedulers."""
    LOOP = "loop"
    """Lightning's own loop: progress tracking, metric reduction, writing to loggers."""


class Kept(StrEnum):
    """Values of `training.batch.kept`: why a batch became a trace."""

    FIRST = "first"
    REGULAR = "regular"
    SLOW = "slow"
    PROFILED = "profiled"
    ERROR = "error"


class Outcome(StrEnum):
    """Values of `training.outcome`."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    KILLED = "killed"


class Bottleneck(StrEnum):
    """Values of `training.bottleneck.kind`."""

    DATA = "data"
    TRANSFER = "transfer"
    LAUNCH = "launch"
    COMPUTE = "compute"
    MEMORY_BANDWIDTH = "memory_bandwidth"
    SYNCHRONIZATION = "synchronization"
    COMMUNICATION = "communication"
    OPTIMIZER = "optimizer"
    CHECKPOINT = "checkpoint"
    VALIDATION = "validation"
    LOGGING = "logging"
    NONE = "none"
