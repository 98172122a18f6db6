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
    """The backward pass, without the wait for other ranks."""
    COMMUNICATION = "communication"
    """Waiting for other ranks, and exchanging gradients and values with them while nothing else is done."""
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
    """The loop waits for the dataloader."""
    TRANSFER = "transfer"
    """Batches move to the device."""
    LAUNCH = "launch"
    """The host cannot ask for work as fast as it is done: many small operators, or Python between them."""
    COMPUTE = "compute"
    """The model's own arithmetic."""
    MEMORY_BANDWIDTH = "memory_bandwidth"
    """Operators that only move memory."""
    SYNCHRONIZATION = "synchronization"
    """The host waits for the device, because the code asks for a value."""
    COMMUNICATION = "communication"
    """Collectives that nothing hides."""
    OPTIMIZER = "optimizer"
    """The optimiser's step."""
    CHECKPOINT = "checkpoint"
    """Checkpoints are written."""
    VALIDATION = "validation"
    """Validation inside the epochs."""
    LOGGING = "logging"
    """`self.log`, loggers, progress bars and other callbacks."""
    COMPILE = "compile"
    """`torch.compile` compiles again and again."""
    MEMORY = "memory"
    """Memory is short, or the garbage collector walks through it."""
    CPU_CONTENTION = "cpu_contention"
    """More threads want the cores than there are cores."""
    NONE = "none"
    """Nothing stands out."""


class Confidence(StrEnum):
    """Values of `training.bottleneck.confidence`."""

    HIGH = "high"
    """Measured directly, over many batches."""
    MEDIUM = "medium"
    """Measured, but over few batches, or by a part that has other causes too."""
    LOW = "low"
    """Concluded from what is left of the time."""


class ProfileMode(StrEnum):
    """Values of `training.profile.mode`: why a window of the profiler opened."""

    PERIODIC = "periodic"
    """Every so many batches."""
    ON_DEMAND = "on-demand"
    """Somebody asked for it."""
    ANOMALY = "anomaly"
    """A batch, or the throughput, was far off its running median."""
    START = "start"
    """The first batches, with compilation and allocation."""
    VALIDATION = "validation"
    """A validation's first batches."""
