"""Windows of the profiler: their span, its events and their attributes."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import attribute, event, metric, span

PROFILE: Final = span(
    "profile",
    "One window of `torch.profiler`, with what it showed as events.",
    "Where a window was open; child of the epoch or validation it was in, linked to the traces of its batches.",
)
BOTTLENECK_EVENT: Final = event(
    "bottleneck",
    "One cause of lost time with its evidence; the first of them is the verdict.",
    "On `profile`, `train_epoch` and `fit`, up to three, ranked.",
)

CALLBACKS_RANGE: Final = "callbacks"
"""Range in a trace of ours that is all callbacks, module hooks and `self.log`; `callbacks:<name>` is one of them."""
LOG_CALLBACK: Final = "LightningModule.log"
"""What `self.log` is called among the callbacks."""

PROFILE_MODE: Final = attribute("training.profile.mode", "string", "Why the window opened.", "`profile`.")
PROFILE_BATCHES: Final = attribute("training.profile.batches", "int", "Batches recorded.", "`profile`.", "{batch}")
PROFILE_FIRST_BATCH: Final = attribute(
    "training.profile.first_batch.index", "int", "`batch_idx` of the first batch recorded.", "`profile`."
)
PROFILE_FILE: Final = attribute(
    "training.profile.file", "string", "File name of the Chrome trace, gzipped, beside the run.", "`profile`."
)
PROFILE_FILE_SIZE: Final = attribute("training.profile.file.size", "int", "Its size.", "`profile`.", "By")
PROFILE_OVERHEAD: Final = attribute(
    "training.profile.overhead.duration",
    "double",
    "Seconds that the training stood still for starting, stopping and saving the profiler.",
    "`profile`.",
    "s",
)
PROFILE_SLOWDOWN: Final = attribute(
    "training.profile.slowdown",
    "double",
    "Mean duration of the recorded batches over the running median of those before: what recording them cost.",
    "`profile`, once there is a median.",
    "1",
)
PROFILE_FAILED: Final = attribute(
    "training.profile.failed", "string", "Why there is no trace, or no reading of it.", "`profile`, where it failed."
)

PROFILES: Final = metric(
    "training.profile.windows",
    "counter",
    "{window}",
    "Windows of the profiler that were opened.",
    "By `training.profile.mode`; from the beginning of an entry.",
)
