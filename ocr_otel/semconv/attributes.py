"""Attributes of resources, spans and metrics."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute
from ocr_otel.semconv.values import Phase

# Of resources.

_WHO: Final = "Resource; entries and their `.start` spans where the tracer provider is the application's."

RUN_ID: Final = attribute("training.run.id", "string", "The run: one process, or all ranks of one job.", _WHO)
RANK: Final = attribute("training.rank", "int", "Global rank.", _WHO)
LOCAL_RANK: Final = attribute("training.local_rank", "int", "Rank on this host.", "Resource.")
WORLD_SIZE: Final = attribute("training.world_size", "int", "Number of ranks.", _WHO)
LIGHTNING_VERSION: Final = attribute("lightning.version", "string", "Version of Lightning.", "Resource.")
LIGHTNING_PACKAGE: Final = attribute(
    "lightning.package", "string", "`lightning` or `pytorch_lightning`.", "`fit.start` and like spans."
)
TORCH_VERSION: Final = attribute("torch.version", "string", "Version of PyTorch.", "Resource.")
CUDA_VERSION: Final = attribute("torch.cuda.version", "string", "CUDA that PyTorch was built for.", "Resource.")
DEVICE_NAME: Final = attribute("torch.device.name", "string", "The accelerator's name.", "Resource, with one.")
DEVICE_COUNT: Final = attribute("torch.device.count", "int", "Accelerators that the process sees.", "Resource.")
VCS_REVISION: Final = attribute(
    "vcs.ref.head.revision", "string", "Git commit of the working directory.", "Resource, inside a Git checkout."
)

# Of spans.

STAGE: Final = attribute("training.stage", "string", "Lightning's running stage.", "Batches, epochs, metrics and logs.")
PHASE: Final = attribute("training.phase", "string", "Part of a batch.", "`training.phase.duration`.")
EPOCH: Final = attribute("training.epoch", "int", "Epoch, from 0.", "Epochs, batches and logs.")
BATCH_IDX: Final = attribute(
    "training.batch.index", "int", "Lightning's `batch_idx`, from 0.", "Batches, and logs of them."
)
DATALOADER_IDX: Final = attribute(
    "training.dataloader.index", "int", "Which dataloader the batch comes from.", "Batches, with several loaders."
)
GLOBAL_STEP: Final = attribute("training.global_step", "int", "Optimiser steps so far.", "Epochs and batches.")
LOGS_LEFT_OUT: Final = attribute(
    "ocr_otel.logs.left_out",
    "int",
    "Log records that were not sent, because more came than are sent in a second.",
    "The log record that says it.",
    "{record}",
)
SAMPLES: Final = attribute("training.samples", "int", "Samples of the span.", "Batches and epochs.", "{sample}")
BATCHES: Final = attribute("training.batches", "int", "Batches of the span.", "Epochs and entries.", "{batch}")
KEPT: Final = attribute("training.batch.kept", "string", "Why this batch became a trace.", "Batches.")
SLOW_RATIO: Final = attribute(
    "training.batch.duration_ratio",
    "double",
    "Duration over the running median.",
    "Batches, once there is a median.",
    "1",
)
WORKER_ID: Final = attribute("training.dataloader.worker.id", "int", "Worker, from 0; -1 without workers.", "Workers.")
WORKER_PID: Final = attribute("training.dataloader.worker.pid", "int", "Process of the worker.", "Workers.")
WORKER_SAMPLES: Final = attribute("training.dataloader.samples", "int", "Samples asked of the dataset.", "Workers.")
CACHE_HITS: Final = attribute(
    "training.dataset.cache.hits",
    "int",
    "Cache hits while this batch was made.",
    "Workers and metrics, where the dataset counts them in `cache_hits`.",
)
CACHE_MISSES: Final = attribute(
    "training.dataset.cache.misses",
    "int",
    "Cache misses while this batch was made.",
    "Workers and metrics, where the dataset counts them in `cache_misses`.",
)
PHASE_SECONDS_PREFIX: Final = "training.phase."
"""`training.phase.<phase>.duration`: seconds of a phase in an epoch or batch; see `phase_seconds`."""
for _phase in Phase:
    attribute(
        f"{PHASE_SECONDS_PREFIX}{_phase}.duration",
        "double",
        f"Seconds in the phase `{_phase}`.",
        "Batches, epochs, progress spans and entries.",
        "s",
    )
for _phase in (Phase.TRANSFER, Phase.FORWARD, Phase.BACKWARD, Phase.COMMUNICATION, Phase.OPTIMIZER):
    attribute(
        f"{PHASE_SECONDS_PREFIX}{_phase}.device.duration",
        "double",
        f"Seconds from the first to the last of the phase `{_phase}` in the device's stream: what the GPU took, where "
        "`.duration` is what the host took to ask for it.",
        "Kept batches, with CUDA or XPU, where the device has come past them by the end of their epoch.",
        "s",
    )
BATCH_MEAN: Final = attribute("training.batch.duration.mean", "double", "Mean batch time.", "Epochs.", "s")
BATCH_P50: Final = attribute("training.batch.duration.p50", "double", "Median batch time.", "Epochs.", "s")
BATCH_P95: Final = attribute("training.batch.duration.p95", "double", "95th percentile of batch time.", "Epochs.", "s")
BATCH_P99: Final = attribute("training.batch.duration.p99", "double", "99th percentile of batch time.", "Epochs.", "s")
BATCH_MAX: Final = attribute("training.batch.duration.max", "double", "Longest batch.", "Epochs.", "s")
THROUGHPUT: Final = attribute(
    "training.throughput", "double", "Samples per second of the time in batches.", "Epochs.", "{sample}/s"
)
DATA_WAIT_RATIO: Final = attribute(
    "training.data_wait.ratio", "double", "Share of the time in batches that the loop waited for data.", "Epochs.", "1"
)
SLOW_BATCHES: Final = attribute("training.batches.slow", "int", "Batches found slow.", "Epochs.", "{batch}")
SLOWEST_CALLBACK: Final = attribute(
    "training.callback.slowest", "string", "The callback or module hook that took most time.", "Epochs."
)
SLOWEST_CALLBACK_SECONDS: Final = attribute("training.callback.slowest.duration", "double", "Its time.", "Epochs.", "s")
CALLBACKS_BETWEEN: Final = attribute(
    "training.callbacks.between_batches.duration",
    "double",
    "Seconds in callbacks and module hooks between batches, such as those at an epoch's end.",
    "Epochs and validations, where there are any.",
    "s",
)
MEMORY_RSS: Final = attribute(
    "process.memory.rss", "int", "Resident memory of the training process at the end of the span.", "Epochs.", "By"
)
MEMORY_PEAK: Final = attribute(
    "torch.memory.allocated.peak",
    "int",
    "Peak of memory allocated on the device since the run began.",
    "Epochs, with CUDA.",
    "By",
)
CHECKPOINT_FILE: Final = attribute("training.checkpoint.file", "string", "File name, no path.", "Checkpoints.")
CHECKPOINT_SIZE_ATTR: Final = attribute(
    "training.checkpoint.bytes", "int", "Size on disk, directories summed.", "Checkpoints on a local disk.", "By"
)
BOTTLENECK_KIND: Final = attribute(
    "training.bottleneck.kind", "string", "The verdict.", "Epochs and entries with training batches."
)
BOTTLENECK_SHARE: Final = attribute(
    "training.bottleneck.share", "double", "Share of the wall time that the verdict is about.", "With a verdict.", "1"
)
BOTTLENECK_SUMMARY: Final = attribute(
    "training.bottleneck.summary", "string", "The verdict in one sentence, with its number.", "With a verdict."
)
BOTTLENECK_ADVICE: Final = attribute("training.bottleneck.advice", "string", "What to try.", "With a verdict.")
BOTTLENECK_SPEEDUP: Final = attribute(
    "training.bottleneck.speedup",
    "double",
    "How many times faster it would be if all of the time at stake went away (Amdahl): an upper bound.",
    "With a verdict other than `none` and `compute`.",
    "1",
)
BOTTLENECK_CONFIDENCE: Final = attribute(
    "training.bottleneck.confidence", "string", "`high`, `medium` or `low`.", "With a verdict."
)
BOTTLENECK_EVIDENCE: Final = attribute(
    "training.bottleneck.evidence",
    "string[]",
    "The numbers behind it, each with its unit and where it came from.",
    "With a verdict.",
)
BOTTLENECK_BASIS: Final = attribute(
    "training.bottleneck.basis",
    "string",
    "What it rests on: phases and resources alone, or a window of the profiler too.",
    "With a verdict.",
)
BOTTLENECK_RANK: Final = attribute(
    "training.bottleneck.rank", "int", "1 for the verdict, 2 for what would be next.", "The event `bottleneck`."
)
OUTCOME: Final = attribute("training.outcome", "string", "How the entry ended.", "Entries.")
TIME_TO_FIRST_BATCH: Final = attribute(
    "training.time_to_first_batch",
    "double",
    "From the start of `fit` to the first training batch in hand.",
    "`fit`.",
    "s",
)
GOODPUT: Final = attribute(
    "training.goodput",
    "double",
    "Share of the wall time of `fit` in transfer, forward, backward and optimiser.",
    "`fit`.",
    "1",
)
MFU: Final = attribute(
    "training.mfu",
    "double",
    "Model FLOPs utilisation: FLOPs done over those that the device offers.",
    "Epochs and `fit`, where the module has `flops_per_batch` and Lightning knows the device.",
    "1",
)
AMP_SKIPPED: Final = attribute(
    "training.optimizer.skipped_steps",
    "int",
    "Optimiser steps that the gradient scaler skipped.",
    "Epochs and `fit`, with a gradient scaler.",
)
LOGGED_PREFIX: Final = "training.logged."
"""`training.logged.<name>`: what the module logged, on epochs and validations."""
attribute(
    LOGGED_PREFIX.rstrip("."),
    "template[double]",
    "What the module logged, each under its own name: `training.logged.<name>`.",
    "Epochs and validations.",
)
CONFIG_PREFIX: Final = "training.config."
"""`training.config.<name>`: the allowed part of the Trainer's and loaders' configuration, on `fit.start`."""
attribute(
    CONFIG_PREFIX.rstrip("."),
    "template[any]",
    "The allowed part of the configuration, each under its own name: `training.config.<name>`. What is not listed by "
    "itself are arguments of the Trainer and of the dataloaders.",
    "`fit.start` and like spans.",
)

# Of events and metrics.

LOST_SPANS: Final = attribute("ocr_otel.lost.spans", "int", "How many.", "The event `ocr_otel.lost`.", "{span}")
METRIC_NAME: Final = attribute("training.metric.name", "string", "Name given to `self.log`.", "`training.logged`.")
PART: Final = attribute("part", "string", "`dataset` or `collate`; or the part of our own cost.", "Metrics.")
OUTCOME_LABEL: Final = attribute("outcome", "string", "How the entry ended.", "`training.runs`.")
CAUSE: Final = attribute("cause", "string", "What went wrong, from a short list.", "Self-telemetry.")


def phase_seconds(phase: Phase) -> str:
    """Return the attribute that carries the seconds of `phase`, such as `training.phase.fetch.duration`."""
    return f"{PHASE_SECONDS_PREFIX}{phase}.duration"


def device_seconds(phase: Phase) -> str:
    """Return the attribute that carries the seconds of `phase` on the device."""
    return f"{PHASE_SECONDS_PREFIX}{phase}.device.duration"
