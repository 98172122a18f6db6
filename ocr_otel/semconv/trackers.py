"""What experiment trackers are given through the Trainer's loggers, and what is known of them."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.names import Name, attribute
from ocr_otel.semconv.values import Bottleneck

TRACKER_ID_PREFIX: Final = "training.tracker."
"""`training.tracker.<kind>.run.id`; other loggers than those below by their class name in small letters."""
for _kind in ("wandb", "mlflow", "tensorboard", "csv", "comet", "neptune"):
    attribute(
        f"{TRACKER_ID_PREFIX}{_kind}.run.id",
        "string",
        f"The run's id in the tracker, of a logger of the kind `{_kind}`.",
        "Entries and `fit.start` of rank 0, with such a logger.",
    )
HYDRA_JOB_NAME: Final = attribute(
    "training.hydra.job.name", "string", "Name of Hydra's job.", "Entries and `fit.start`, in an application of Hydra."
)
HYDRA_JOB_NUMBER: Final = attribute(
    "training.hydra.job.number", "int", "Number of the job, from 0.", "Entries and `fit.start`, in a multirun of Hydra."
)

TRACKED: Final[dict[str, Name]] = {}
"""What loggers are given, by name."""
TRACKED_PREFIX: Final = "ocr_otel/"

_EPOCHS: Final = "At the end of each epoch, by rank 0."


def _number(name: str, unit: str, meaning: str, present: str = _EPOCHS) -> str:
    TRACKED[TRACKED_PREFIX + name] = Name(TRACKED_PREFIX + name, "number", unit, meaning, present)
    return TRACKED_PREFIX + name


def _text(name: str, meaning: str, present: str) -> str:
    TRACKED[TRACKED_PREFIX + name] = Name(TRACKED_PREFIX + name, "text", "", meaning, present)
    return TRACKED_PREFIX + name


TRACKED_THROUGHPUT: Final = _number(
    "samples_per_second", "{sample}/s", "Samples a second of the time in batches, of all ranks together."
)
TRACKED_BATCH_MEAN: Final = _number("batch_seconds_mean", "s", "Mean batch time, the mean over ranks.")
TRACKED_BATCH_P50: Final = _number("batch_seconds_p50", "s", "Median batch time of the rank where it is longest.")
TRACKED_BATCH_P95: Final = _number("batch_seconds_p95", "s", "95th percentile of the rank where it is longest.")
TRACKED_BATCH_P99: Final = _number("batch_seconds_p99", "s", "99th percentile of the rank where it is longest.")
TRACKED_DATA_WAIT: Final = _number(
    "data_wait_share", "1", "Share of the time in batches that the loop waited for data, the mean over ranks."
)
TRACKED_EPOCH: Final = _number("epoch_seconds", "s", "Wall time of the epoch, of the rank where it is longest.")
TRACKED_VALIDATION: Final = _number(
    "validation_seconds", "s", "Part of it in validations, of the rank where it is longest.", "As above, with any."
)
TRACKED_PROCESS_MEMORY: Final = _number(
    "process_memory_peak_bytes",
    "By",
    "Most resident memory of a training process that was read in the epoch; at its end where none was read.",
)
TRACKED_DEVICE_MEMORY: Final = _number(
    "device_memory_peak_bytes",
    "By",
    "Peak of memory allocated on a device since the run began.",
    "As above, with CUDA.",
)
TRACKED_GPU: Final = _number(
    "gpu_utilization_mean",
    "1",
    "Mean share of time in which the GPUs ran kernels, the mean over ranks.",
    "As above, where GPUs are read.",
)
TRACKED_RANKS: Final = _number(
    "ranks", "{rank}", "Ranks that the numbers above are of.", "As above, with several ranks."
)
TRACKED_VERDICT_PREFIX: Final = f"{TRACKED_PREFIX}bottleneck/"
for _bottleneck in Bottleneck:
    _number(
        f"bottleneck/{_bottleneck}",
        "1",
        f"Share of the wall time at stake, where the epoch's verdict is `{_bottleneck}`.",
        "At the end of such an epoch.",
    )

TRACKED_RUN_ID: Final = _text("run_id", "`training.run.id`.", "From the beginning of an entry.")
TRACKED_TRACE_ID: Final = _text("trace_id", "Trace of `fit`.", "From its beginning.")
TRACKED_JAEGER: Final = _text("jaeger_url", "Its page in Jaeger.", "As above, with `OCR_OTEL_JAEGER_URL`.")
TRACKED_GRAFANA: Final = _text(
    "grafana_url", "The run's dashboard in Grafana.", "As above, with `OCR_OTEL_GRAFANA_URL`."
)
for _entry in ("validate", "test", "predict"):
    _text(f"{_entry}_trace_id", f"Trace of `{_entry}`.", "From its beginning.")
    _text(f"{_entry}_jaeger_url", "Its page in Jaeger.", "As above, with `OCR_OTEL_JAEGER_URL`.")
TRACKED_VERDICT: Final = _text("verdict", "The verdict of `fit` in one sentence.", "At its end, with a verdict.")


def tracked_of(name: str, entry: str) -> str:
    """Return the name of a text of an entry: as it is for `fit`, with the entry's name for others."""
    return name if entry == "fit" else f"{TRACKED_PREFIX}{entry}_{name.removeprefix(TRACKED_PREFIX)}"
