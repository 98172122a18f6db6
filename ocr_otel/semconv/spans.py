"""Spans and their events."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import event, span
from ocr_otel.semconv.values import Stage

FIT: Final = span("fit", "One `Trainer.fit`: the root of a run trace.", "Once per entry; ends with the entry.")
VALIDATE: Final = span("validate", "One `Trainer.validate`: the root of a run trace.", "Once per entry.")
TEST: Final = span("test", "One `Trainer.test`: the root of a run trace.", "Once per entry.")
PREDICT: Final = span("predict", "One `Trainer.predict`: the root of a run trace.", "Once per entry.")
START_SUFFIX: Final = ".start"
FIT_START: Final = span(
    "fit.start",
    "Zero-length child of `fit` with the configuration, exported at once so that a running training can be found.",
    "At the beginning of each entry; `validate.start`, `test.start` and `predict.start` have the same form.",
)
for _entry in (VALIDATE, TEST, PREDICT):
    span(_entry + START_SUFFIX, f"As `fit.start`, for `{_entry}`.", "At the beginning of each entry.")
SEGMENT_SUFFIX: Final = ".segment"
FIT_SEGMENT: Final = span(
    "fit.segment",
    "Root of a trace that continues a run trace which would hold more than 2,000 spans; linked to the run's root.",
    "Long runs only.",
)
SANITY_CHECK: Final = span("sanity_check", "Lightning's sanity check of the validation loop.", "When it is not off.")
TRAIN_EPOCH: Final = span(
    "train_epoch",
    "One epoch, from its first hook to the first hook of the next: its batches, validation and checkpoints.",
    "Once per epoch; child of `fit`; linked to the traces of its slowest kept batches.",
)
TRAIN_EPOCH_PROGRESS: Final = span(
    "train_epoch.progress",
    "The part of a long epoch since the last such span, so that an epoch of hours is visible while it runs.",
    "Every ten minutes inside an epoch; child of `train_epoch`.",
)
VALIDATION: Final = span("validation", "One validation inside `fit`.", "Child of `train_epoch`.")
TRAIN_BATCH: Final = span(
    "train_batch",
    "One training batch, from the moment the loop asks for data to the moment it asks for the next.",
    "Root of a trace of its own for each kept batch; linked to its `train_epoch`.",
)
VALIDATION_BATCH: Final = span("validation_batch", "As `train_batch`, of a validation.", "For each kept batch.")
TEST_BATCH: Final = span("test_batch", "As `train_batch`, of `Trainer.test`.", "For each kept batch.")
PREDICT_BATCH: Final = span("predict_batch", "As `train_batch`, of `Trainer.predict`.", "For each kept batch.")
FETCH: Final = span("fetch", "The time that the loop waited for data.", "Child of the batch.")
WORKER: Final = span(
    "dataloader_worker",
    "What the dataloader did to make this very batch, measured inside the worker process; it may have begun before "
    "the batch did, because workers prefetch.",
    "Child of the batch where the loader is a `torch.utils.data.DataLoader`; with `num_workers=0` it is the loop's "
    "own process.",
)
WORKER_DATASET: Final = span("dataset", "Time in the dataset's `__getitem__` or iterator.", "Child of the worker's.")
WORKER_COLLATE: Final = span("collate", "Time in `collate_fn`.", "Child of the worker's span.")
TRANSFER: Final = span("transfer", "Moving the batch to the device, with its hooks.", "Child of the batch.")
FORWARD: Final = span(
    "forward",
    "`training_step` (or the step of another stage) on the host: on a GPU the time to launch, unless it synchronises.",
    "Child of the batch.",
)
BACKWARD: Final = span(
    "backward",
    "The backward pass on the host.",
    "Child of the batch; of `forward` with manual optimization, where the step itself calls it.",
)
OPTIMIZER_STEP: Final = span(
    "optimizer_step",
    "The optimiser's update alone: without the closure in which Lightning runs forward and backward.",
    "Child of the batch; of `forward` with manual optimization.",
)
CHECKPOINT_SAVE: Final = span("checkpoint.save", "A checkpoint is written.", "Child of the span open at the time.")
CHECKPOINT_LOAD: Final = span("checkpoint.load", "A checkpoint is restored.", "Child of `fit`, with `ckpt_path`.")

BATCH_SPAN_BY_STAGE: Final[dict[Stage, str]] = {
    Stage.TRAIN: TRAIN_BATCH,
    Stage.SANITY_CHECK: VALIDATION_BATCH,
    Stage.VALIDATE: VALIDATION_BATCH,
    Stage.TEST: TEST_BATCH,
    Stage.PREDICT: PREDICT_BATCH,
}
DOCTOR: Final = span("ocr-otel doctor", "Test export of `ocr-otel doctor`.", "While `doctor` runs.")

EXCEPTION_EVENT: Final = event(
    "exception",
    "The exception of the semantic conventions, with file names in place of paths.",
    "On the entry and the batch that it ended.",
)
LOST_EVENT: Final = event(
    "ocr_otel.lost", "Spans that were made and could not be delivered so far.", "On an entry, for each cause."
)
