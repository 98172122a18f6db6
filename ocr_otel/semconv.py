"""Every span, attribute, metric and event name that ocr_otel emits, with its unit, meaning and presence.

Code, documentation, dashboards and alert rules read the names from here and nowhere else. Names that an
OpenTelemetry semantic convention defines (`exception.*`, `process.*`, `host.*`, `service.*`) are imported from
`opentelemetry.semconv` where they are used and are not repeated here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SCHEMA_VERSION: Final = "1"
"""Version of this vocabulary; it grows when a name changes its meaning or disappears."""

SCOPE: Final = "ocr_otel"
"""Name of the instrumentation scope of all spans and metrics."""


@dataclass(frozen=True, slots=True)
class Name:
    """One documented name.

    Attributes:
        name: The name as it travels in OTLP.
        kind: Span, attribute, event, or the instrument kind of a metric.
        unit: UCUM unit of a metric or of a numeric attribute; empty where there is none.
        meaning: One sentence for the reader of the documentation.
        present: When it is there and where its value comes from.
    """

    name: str
    kind: str
    unit: str
    meaning: str
    present: str


SPANS: Final[dict[str, Name]] = {}
ATTRIBUTES: Final[dict[str, Name]] = {}
EVENTS: Final[dict[str, Name]] = {}
METRICS: Final[dict[str, Name]] = {}


def _span(name: str, meaning: str, present: str) -> str:
    SPANS[name] = Name(name, "span", "", meaning, present)
    return name


def _attribute(name: str, kind: str, meaning: str, present: str, unit: str = "") -> str:
    ATTRIBUTES[name] = Name(name, kind, unit, meaning, present)
    return name


def _event(name: str, meaning: str, present: str) -> str:
    EVENTS[name] = Name(name, "event", "", meaning, present)
    return name


def _metric(name: str, kind: str, unit: str, meaning: str, present: str) -> str:
    METRICS[name] = Name(name, kind, unit, meaning, present)
    return name


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


# --- spans ------------------------------------------------------------------------------------------------------------

FIT: Final = _span("fit", "One `Trainer.fit`: the root of a run trace.", "Once per entry; ends with the entry.")
VALIDATE: Final = _span("validate", "One `Trainer.validate`: the root of a run trace.", "Once per entry.")
TEST: Final = _span("test", "One `Trainer.test`: the root of a run trace.", "Once per entry.")
PREDICT: Final = _span("predict", "One `Trainer.predict`: the root of a run trace.", "Once per entry.")
START_SUFFIX: Final = ".start"
FIT_START: Final = _span(
    "fit.start",
    "Zero-length child of `fit` with the configuration, exported at once so that a running training can be found.",
    "At the beginning of each entry; `validate.start`, `test.start` and `predict.start` have the same form.",
)
for _entry in (VALIDATE, TEST, PREDICT):
    _span(_entry + START_SUFFIX, f"As `fit.start`, for `{_entry}`.", "At the beginning of each entry.")
SEGMENT_SUFFIX: Final = ".segment"
FIT_SEGMENT: Final = _span(
    "fit.segment",
    "Root of a trace that continues a run trace which would hold more than 2,000 spans; linked to the run's root.",
    "Long runs only.",
)
SANITY_CHECK: Final = _span("sanity_check", "Lightning's sanity check of the validation loop.", "When it is not off.")
TRAIN_EPOCH: Final = _span(
    "train_epoch",
    "One epoch, from its first hook to the first hook of the next: its batches, validation and checkpoints.",
    "Once per epoch; child of `fit`; linked to the traces of its slowest kept batches.",
)
TRAIN_EPOCH_PROGRESS: Final = _span(
    "train_epoch.progress",
    "The part of a long epoch since the last such span, so that an epoch of hours is visible while it runs.",
    "Every ten minutes inside an epoch; child of `train_epoch`.",
)
VALIDATION: Final = _span("validation", "One validation inside `fit`.", "Child of `train_epoch`.")
TRAIN_BATCH: Final = _span(
    "train_batch",
    "One training batch, from the moment the loop asks for data to the moment it asks for the next.",
    "Root of a trace of its own for each kept batch; linked to its `train_epoch`.",
)
VALIDATION_BATCH: Final = _span("validation_batch", "As `train_batch`, of a validation.", "For each kept batch.")
TEST_BATCH: Final = _span("test_batch", "As `train_batch`, of `Trainer.test`.", "For each kept batch.")
PREDICT_BATCH: Final = _span("predict_batch", "As `train_batch`, of `Trainer.predict`.", "For each kept batch.")
FETCH: Final = _span("fetch", "The time that the loop waited for data.", "Child of the batch.")
WORKER: Final = _span(
    "dataloader_worker",
    "What the dataloader did to make this very batch, measured inside the worker process; it may have begun before "
    "the batch did, because workers prefetch.",
    "Child of the batch where the loader is a `torch.utils.data.DataLoader`; with `num_workers=0` it is the loop's "
    "own process.",
)
WORKER_DATASET: Final = _span("dataset", "Time in the dataset's `__getitem__` or iterator.", "Child of the worker's.")
WORKER_COLLATE: Final = _span("collate", "Time in `collate_fn`.", "Child of the worker's span.")
TRANSFER: Final = _span("transfer", "Moving the batch to the device, with its hooks.", "Child of the batch.")
FORWARD: Final = _span(
    "forward",
    "`training_step` (or the step of another stage) on the host: on a GPU the time to launch, unless it synchronises.",
    "Child of the batch.",
)
BACKWARD: Final = _span(
    "backward",
    "The backward pass on the host.",
    "Child of the batch; of `forward` with manual optimization, where the step itself calls it.",
)
OPTIMIZER_STEP: Final = _span(
    "optimizer_step",
    "The optimiser's update alone: without the closure in which Lightning runs forward and backward.",
    "Child of the batch; of `forward` with manual optimization.",
)
CHECKPOINT_SAVE: Final = _span("checkpoint.save", "A checkpoint is written.", "Child of the span open at the time.")
CHECKPOINT_LOAD: Final = _span("checkpoint.load", "A checkpoint is restored.", "Child of `fit`, with `ckpt_path`.")

BATCH_SPAN_BY_STAGE: Final[dict[Stage, str]] = {
    Stage.TRAIN: TRAIN_BATCH,
    Stage.SANITY_CHECK: VALIDATION_BATCH,
    Stage.VALIDATE: VALIDATION_BATCH,
    Stage.TEST: TEST_BATCH,
    Stage.PREDICT: PREDICT_BATCH,
}

# --- attributes of resources ------------------------------------------------------------------------------------------

RUN_ID: Final = _attribute("training.run.id", "string", "The run: one process, or all ranks of one job.", "Resource.")
RANK: Final = _attribute("training.rank", "int", "Global rank.", "Resource.")
LOCAL_RANK: Final = _attribute("training.local_rank", "int", "Rank on this host.", "Resource.")
WORLD_SIZE: Final = _attribute("training.world_size", "int", "Number of ranks.", "Resource.")
LIGHTNING_VERSION: Final = _attribute("lightning.version", "string", "Version of Lightning.", "Resource.")
LIGHTNING_PACKAGE: Final = _attribute(
    "lightning.package", "string", "`lightning` or `pytorch_lightning`.", "`fit.start` and like spans."
)
TORCH_VERSION: Final = _attribute("torch.version", "string", "Version of PyTorch.", "Resource.")
CUDA_VERSION: Final = _attribute("torch.cuda.version", "string", "CUDA that PyTorch was built for.", "Resource.")
DEVICE_NAME: Final = _attribute("torch.device.name", "string", "The accelerator's name.", "Resource, with one.")
DEVICE_COUNT: Final = _attribute("torch.device.count", "int", "Accelerators that the process sees.", "Resource.")
VCS_REVISION: Final = _attribute(
    "vcs.ref.head.revision", "string", "Git commit of the working directory.", "Resource, inside a Git checkout."
)

# --- attributes of spans ----------------------------------------------------------------------------------------------

STAGE: Final = _attribute("training.stage", "string", "Lightning's running stage.", "Batches, epochs and metrics.")
PHASE: Final = _attribute("training.phase", "string", "Part of a batch.", "`training.phase.duration`.")
EPOCH: Final = _attribute("training.epoch", "int", "Epoch, from 0.", "Epochs and batches.")
BATCH_IDX: Final = _attribute("training.batch.index", "int", "Lightning's `batch_idx`, from 0.", "Batches.")
DATALOADER_IDX: Final = _attribute(
    "training.dataloader.index", "int", "Which dataloader the batch comes from.", "Batches, with several loaders."
)
GLOBAL_STEP: Final = _attribute("training.global_step", "int", "Optimiser steps so far.", "Epochs and batches.")
SAMPLES: Final = _attribute("training.samples", "int", "Samples of the span.", "Batches and epochs.", "{sample}")
BATCHES: Final = _attribute("training.batches", "int", "Batches of the span.", "Epochs and entries.", "{batch}")
KEPT: Final = _attribute("training.batch.kept", "string", "Why this batch became a trace.", "Batches.")
SLOW_RATIO: Final = _attribute(
    "training.batch.duration_ratio",
    "double",
    "Duration over the running median.",
    "Batches, once there is a median.",
    "1",
)
WORKER_ID: Final = _attribute("training.dataloader.worker.id", "int", "Worker, from 0; -1 without workers.", "Workers.")
WORKER_PID: Final = _attribute("training.dataloader.worker.pid", "int", "Process of the worker.", "Workers.")
WORKER_SAMPLES: Final = _attribute("training.dataloader.samples", "int", "Samples asked of the dataset.", "Workers.")
CACHE_HITS: Final = _attribute(
    "training.dataset.cache.hits",
    "int",
    "Cache hits while this batch was made.",
    "Workers and metrics, where the dataset counts them in `cache_hits`.",
)
CACHE_MISSES: Final = _attribute(
    "training.dataset.cache.misses",
    "int",
    "Cache misses while this batch was made.",
    "Workers and metrics, where the dataset counts them in `cache_misses`.",
)
PHASE_SECONDS_PREFIX: Final = "training.phase."
"""`training.phase.<phase>.duration`: seconds of a phase in an epoch or batch; see `phase_seconds`."""
for _phase in Phase:
    _attribute(
        f"{PHASE_SECONDS_PREFIX}{_phase}.duration",
        "double",
        f"Seconds in the phase `{_phase}`.",
        "Batches, epochs, progress spans and entries.",
        "s",
    )
BATCH_MEAN: Final = _attribute("training.batch.duration.mean", "double", "Mean batch time.", "Epochs.", "s")
BATCH_P50: Final = _attribute("training.batch.duration.p50", "double", "Median batch time.", "Epochs.", "s")
BATCH_P95: Final = _attribute("training.batch.duration.p95", "double", "95th percentile of batch time.", "Epochs.", "s")
BATCH_P99: Final = _attribute("training.batch.duration.p99", "double", "99th percentile of batch time.", "Epochs.", "s")
BATCH_MAX: Final = _attribute("training.batch.duration.max", "double", "Longest batch.", "Epochs.", "s")
THROUGHPUT: Final = _attribute(
    "training.throughput", "double", "Samples per second of the time in batches.", "Epochs.", "{sample}/s"
)
DATA_WAIT_RATIO: Final = _attribute(
    "training.data_wait.ratio", "double", "Share of the time in batches that the loop waited for data.", "Epochs.", "1"
)
SLOW_BATCHES: Final = _attribute("training.batches.slow", "int", "Batches found slow.", "Epochs.", "{batch}")
SLOWEST_CALLBACK: Final = _attribute(
    "training.callback.slowest", "string", "The callback or module hook that took most time.", "Epochs."
)
SLOWEST_CALLBACK_SECONDS: Final = _attribute(
    "training.callback.slowest.duration", "double", "Its time.", "Epochs.", "s"
)
MEMORY_RSS: Final = _attribute(
    "process.memory.rss", "int", "Resident memory of the training process at the end of the span.", "Epochs.", "By"
)
MEMORY_PEAK: Final = _attribute(
    "torch.memory.allocated.peak",
    "int",
    "Peak of memory allocated on the device since the run began.",
    "Epochs, with CUDA.",
    "By",
)
CHECKPOINT_FILE: Final = _attribute("training.checkpoint.file", "string", "File name, no path.", "Checkpoints.")
CHECKPOINT_SIZE_ATTR: Final = _attribute(
    "training.checkpoint.bytes", "int", "Size on disk, directories summed.", "Checkpoints on a local disk.", "By"
)
BOTTLENECK_KIND: Final = _attribute(
    "training.bottleneck.kind", "string", "The verdict.", "Epochs and entries with training batches."
)
BOTTLENECK_SHARE: Final = _attribute(
    "training.bottleneck.share", "double", "Share of the wall time that the verdict is about.", "With a verdict.", "1"
)
BOTTLENECK_SUMMARY: Final = _attribute(
    "training.bottleneck.summary", "string", "The verdict in one sentence, with its number.", "With a verdict."
)
BOTTLENECK_ADVICE: Final = _attribute("training.bottleneck.advice", "string", "What to try.", "With a verdict.")
OUTCOME: Final = _attribute("training.outcome", "string", "How the entry ended.", "Entries.")
TIME_TO_FIRST_BATCH: Final = _attribute(
    "training.time_to_first_batch",
    "double",
    "From the start of `fit` to the first training batch in hand.",
    "`fit`.",
    "s",
)
GOODPUT: Final = _attribute(
    "training.goodput",
    "double",
    "Share of the wall time of `fit` in transfer, forward, backward and optimiser.",
    "`fit`.",
    "1",
)
MFU: Final = _attribute(
    "training.mfu",
    "double",
    "Model FLOPs utilisation: FLOPs done over those that the device offers.",
    "Epochs and `fit`, where the module has `flops_per_batch` and Lightning knows the device.",
    "1",
)
AMP_SKIPPED: Final = _attribute(
    "training.optimizer.skipped_steps",
    "int",
    "Optimiser steps that the gradient scaler skipped.",
    "Epochs and `fit`, with a gradient scaler.",
)
LOGGED_PREFIX: Final = "training.logged."
"""`training.logged.<name>`: what the module logged, on epochs and validations."""
CONFIG_PREFIX: Final = "training.config."
"""`training.config.<name>`: the allowed part of the Trainer's and loaders' configuration, on `fit.start`."""

# --- events -----------------------------------------------------------------------------------------------------------

EXCEPTION_EVENT: Final = _event(
    "exception",
    "The exception of the semantic conventions, with file names in place of paths.",
    "On the entry and the batch that it ended.",
)
LOST_EVENT: Final = _event(
    "ocr_otel.lost", "Spans that were made and could not be delivered so far.", "On an entry, for each cause."
)
LOST_SPANS: Final = _attribute("ocr_otel.lost.spans", "int", "How many.", "The event `ocr_otel.lost`.", "{span}")

# --- metrics ----------------------------------------------------------------------------------------------------------

METRIC_BATCH_DURATION: Final = _metric(
    "training.batch.duration",
    "histogram",
    "s",
    "Duration of a batch; exemplars lead to kept batches.",
    "By `training.stage`.",
)
METRIC_PHASE_DURATION: Final = _metric(
    "training.phase.duration",
    "histogram",
    "s",
    "Duration of one phase of a batch.",
    "By `training.stage` and `training.phase`.",
)
METRIC_EPOCH_DURATION: Final = _metric(
    "training.epoch.duration", "histogram", "s", "Duration of an epoch or of a validation.", "By `training.stage`."
)
METRIC_SAMPLES: Final = _metric("training.samples", "counter", "{sample}", "Samples done.", "By `training.stage`.")
METRIC_BATCHES: Final = _metric("training.batches", "counter", "{batch}", "Batches done.", "By `training.stage`.")
METRIC_EPOCHS: Final = _metric("training.epochs", "counter", "{epoch}", "Epochs done.", "By `training.stage`.")
METRIC_THROUGHPUT_SAMPLES: Final = _metric(
    "training.throughput.samples",
    "gauge",
    "{sample}/s",
    "Samples per second over a sliding window of wall time.",
    "By `training.stage`, for the stage that runs.",
)
METRIC_THROUGHPUT_BATCHES: Final = _metric(
    "training.throughput.batches",
    "gauge",
    "{batch}/s",
    "Batches per second over the same window.",
    "By `training.stage`, for the stage that runs.",
)
METRIC_DATA_WAIT: Final = _metric(
    "training.data_wait.ratio",
    "gauge",
    "1",
    "Share of loop time spent waiting for data, over the same window.",
    "By `training.stage`, for the stage that runs.",
)
METRIC_EPOCH: Final = _metric("training.epoch", "gauge", "{epoch}", "Current epoch, from 0.", "During a run.")
METRIC_GLOBAL_STEP: Final = _metric("training.global_step", "gauge", "{step}", "Optimiser steps.", "During a run.")
METRIC_LAST_BATCH: Final = _metric(
    "training.last_batch.timestamp",
    "gauge",
    "s",
    "Unix time at which the last batch ended; watch it for stalls.",
    "From the first batch on.",
)
METRIC_LOGGED: Final = _metric(
    "training.logged", "gauge", "1", "What the module logs, at most 64 names.", "By `training.metric.name`."
)
METRIC_NAME: Final = _attribute("training.metric.name", "string", "Name given to `self.log`.", "`training.logged`.")
METRIC_WORKER_DURATION: Final = _metric(
    "training.dataloader.worker.duration",
    "histogram",
    "s",
    "Time to make one batch, inside the worker.",
    "By `training.stage` and `part`.",
)
PART: Final = _attribute("part", "string", "`dataset` or `collate`; or the part of our own cost.", "Metrics.")
METRIC_CACHE_HITS: Final = _metric(
    "training.dataset.cache.hits",
    "counter",
    "{hit}",
    "Cache hits of the dataset, in all workers.",
    "Where the dataset counts them.",
)
METRIC_CACHE_MISSES: Final = _metric(
    "training.dataset.cache.misses",
    "counter",
    "{miss}",
    "Cache misses of the dataset, in all workers.",
    "Where the dataset counts them.",
)
METRIC_CHECKPOINT_DURATION: Final = _metric(
    "training.checkpoint.duration", "histogram", "s", "Time to write a checkpoint.", "At each checkpoint."
)
METRIC_CHECKPOINT_SIZE: Final = _metric(
    "training.checkpoint.size", "histogram", "By", "Size of a checkpoint.", "At each checkpoint on a local disk."
)
METRIC_RUN_ACTIVE: Final = _metric(
    "training.run.active", "gauge", "1", "1 while an entry goes on, 0 in the last export.", "Always."
)
METRIC_RUNS: Final = _metric("training.runs", "counter", "{run}", "Trainer entries by outcome.", "By `outcome`.")
OUTCOME_LABEL: Final = _attribute("outcome", "string", "How the entry ended.", "`training.runs`.")
METRIC_AMP_SKIPPED: Final = _metric(
    "training.optimizer.skipped_steps",
    "counter",
    "{step}",
    "Optimiser steps that the gradient scaler skipped.",
    "With a gradient scaler.",
)
METRIC_OVERHEAD: Final = _metric(
    "ocr_otel.overhead.duration", "counter", "s", "Time that our own hooks took of the training.", "By `part`."
)
METRIC_ERRORS: Final = _metric(
    "ocr_otel.errors", "counter", "{error}", "Failures of ours that were caught; training went on.", "By `cause`."
)
METRIC_SPANS_DROPPED: Final = _metric(
    "ocr_otel.spans.dropped", "counter", "{span}", "Spans that were made and not delivered.", "By `cause`."
)
METRIC_DOCTOR_CHECKS: Final = _metric(
    "ocr_otel.doctor.checks", "counter", "{check}", "Test exports of `ocr-otel doctor`.", "While `doctor` runs."
)
DOCTOR: Final = _span("ocr-otel doctor", "Test export of `ocr-otel doctor`.", "While `doctor` runs.")
CAUSE: Final = _attribute("cause", "string", "What went wrong, from a short list.", "Self-telemetry.")


def phase_seconds(phase: Phase) -> str:
    """Return the attribute that carries the seconds of `phase`, such as `training.phase.fetch.duration`."""
    return f"{PHASE_SECONDS_PREFIX}{phase}.duration"
