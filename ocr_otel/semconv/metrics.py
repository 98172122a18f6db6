"""Metrics."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import metric

METRIC_BATCH_DURATION: Final = metric(
    "training.batch.duration",
    "histogram",
    "s",
    "Duration of a batch; exemplars lead to kept batches.",
    "By `training.stage`.",
)
METRIC_PHASE_DURATION: Final = metric(
    "training.phase.duration",
    "histogram",
    "s",
    "Duration of one phase of a batch.",
    "By `training.stage` and `training.phase`.",
)
METRIC_EPOCH_DURATION: Final = metric(
    "training.epoch.duration", "histogram", "s", "Duration of an epoch or of a validation.", "By `training.stage`."
)
METRIC_SAMPLES: Final = metric("training.samples", "counter", "{sample}", "Samples done.", "By `training.stage`.")
METRIC_BATCHES: Final = metric("training.batches", "counter", "{batch}", "Batches done.", "By `training.stage`.")
METRIC_EPOCHS: Final = metric("training.epochs", "counter", "{epoch}", "Epochs done.", "By `training.stage`.")
METRIC_THROUGHPUT_SAMPLES: Final = metric(
    "training.throughput.samples",
    "gauge",
    "{sample}/s",
    "Samples per second over a sliding window of wall time.",
    "By `training.stage`, for the stage that runs.",
)
METRIC_THROUGHPUT_BATCHES: Final = metric(
    "training.throughput.batches",
    "gauge",
    "{batch}/s",
    "Batches per second over the same window.",
    "By `training.stage`, for the stage that runs.",
)
METRIC_DATA_WAIT: Final = metric(
    "training.data_wait.ratio",
    "gauge",
    "1",
    "Share of loop time spent waiting for data, over the same window.",
    "By `training.stage`, for the stage that runs.",
)
METRIC_EPOCH: Final = metric("training.epoch", "gauge", "{epoch}", "Current epoch, from 0.", "During a run.")
METRIC_GLOBAL_STEP: Final = metric("training.global_step", "gauge", "{step}", "Optimiser steps.", "During a run.")
METRIC_LAST_BATCH: Final = metric(
    "training.last_batch.timestamp",
    "gauge",
    "s",
    "Unix time at which the last batch ended; watch it for stalls.",
    "From the first batch on.",
)
METRIC_LOGGED: Final = metric(
    "training.logged", "gauge", "", "What the module logs, at most 64 names.", "By `training.metric.name`."
)
METRIC_WORKER_DURATION: Final = metric(
    "training.dataloader.worker.duration",
    "histogram",
    "s",
    "Time to make one batch, inside the worker.",
    "By `training.stage` and `part`.",
)
METRIC_CACHE_HITS: Final = metric(
    "training.dataset.cache.hits",
    "counter",
    "{hit}",
    "Cache hits of the dataset, in all workers.",
    "Where the dataset counts them.",
)
METRIC_CACHE_MISSES: Final = metric(
    "training.dataset.cache.misses",
    "counter",
    "{miss}",
    "Cache misses of the dataset, in all workers.",
    "Where the dataset counts them.",
)
METRIC_CHECKPOINT_DURATION: Final = metric(
    "training.checkpoint.duration", "histogram", "s", "Time to write a checkpoint.", "At each checkpoint."
)
METRIC_CHECKPOINT_SIZE: Final = metric(
    "training.checkpoint.size", "histogram", "By", "Size of a checkpoint.", "At each checkpoint on a local disk."
)
METRIC_RUN_ACTIVE: Final = metric(
    "training.run.active", "gauge", "{run}", "1 while an entry goes on, 0 in the last export.", "Always."
)
METRIC_RUNS: Final = metric("training.runs", "counter", "{run}", "Trainer entries by outcome.", "By `outcome`.")
METRIC_AMP_SKIPPED: Final = metric(
    "training.optimizer.skipped_steps",
    "counter",
    "{step}",
    "Optimiser steps that the gradient scaler skipped.",
    "With a gradient scaler.",
)
METRIC_OVERHEAD: Final = metric(
    "ocr_otel.overhead.duration", "counter", "s", "Time that our own hooks took of the training.", "By `part`."
)
METRIC_ERRORS: Final = metric(
    "ocr_otel.errors", "counter", "{error}", "Failures of ours that were caught; training went on.", "By `cause`."
)
METRIC_SPANS_DROPPED: Final = metric(
    "ocr_otel.spans.dropped", "counter", "{span}", "Spans that were made and not delivered.", "By `cause`."
)
METRIC_DOCTOR_CHECKS: Final = metric(
    "ocr_otel.doctor.checks", "counter", "{check}", "Test exports of `ocr-otel doctor`.", "While `doctor` runs."
)
