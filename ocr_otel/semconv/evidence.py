"""Attributes of epochs and of configuration that verdicts rest on, beside phases and resources."""

from __future__ import annotations

from typing import Final

from ocr_otel.semconv.attributes import CONFIG_PREFIX
from ocr_otel.semconv.names import attribute

_EPOCHS: Final = "Training epochs, where it is more than 0."
_TIMED: Final = "Training epochs, where the dataloader is one of torch's."

MADE_BATCHES: Final = attribute(
    "training.dataloader.batches", "int", "Batches whose making was timed.", _TIMED, "{batch}"
)
DATASET_SECONDS: Final = attribute(
    "training.dataloader.dataset.duration",
    "double",
    "Seconds in the dataset for the epoch's batches, added up over workers.",
    _TIMED,
    "s",
)
DATASET_CPU_SECONDS: Final = attribute(
    "training.dataloader.dataset.cpu_time",
    "double",
    "CPU time of the threads that were in the dataset, much less than its duration where it waits, as for storage; "
    "of an epoch, estimated from batches at least 10 ms apart.",
    "Training epochs and worker spans, where the dataloader is one of torch's.",
    "s",
)
COLLATE_SECONDS: Final = attribute(
    "training.dataloader.collate.duration",
    "double",
    "Seconds in `collate_fn` for the epoch's batches, added up over workers.",
    _TIMED,
    "s",
)
LOADER_START_SECONDS: Final = attribute(
    "training.dataloader.start.duration",
    "double",
    "Seconds in making the dataloader's iterator and starting its workers inside the epoch.",
    _EPOCHS,
    "s",
)
FIRST_WAIT_SECONDS: Final = attribute(
    "training.dataloader.first_wait.duration",
    "double",
    "Wait for the epoch's first batch, which is part of the phase `fetch`.",
    _EPOCHS,
    "s",
)
COLLECTING_SECONDS: Final = attribute(
    "training.garbage_collection.duration",
    "double",
    "Seconds in which Python's garbage collector held the interpreter.",
    _EPOCHS,
    "s",
)
FULL_COLLECTIONS: Final = attribute(
    "training.garbage_collection.full", "int", "Collections of all generations.", _EPOCHS, "{collection}"
)
COMPILING_SECONDS: Final = attribute(
    "training.compile.duration", "double", "Seconds in `torch.compile` compiling.", _EPOCHS, "s"
)
RECOMPILING_SECONDS: Final = attribute(
    "training.compile.recompilation.duration",
    "double",
    "Part of that for code that had been compiled before.",
    _EPOCHS,
    "s",
)
RECOMPILATIONS: Final = attribute(
    "training.compile.recompilations", "int", "Compilations of code that had been compiled before.", _EPOCHS
)
PROFILING_SECONDS: Final = attribute(
    "training.profiling.duration",
    "double",
    "Seconds in which the training stood still for the profiler's windows; no verdict counts them.",
    _EPOCHS,
    "s",
)
CPU_DELAY_SECONDS: Final = attribute(
    "training.cpu_delay.duration",
    "double",
    "Seconds in which the training's busiest threads could run and had no CPU: the most delayed of them.",
    "Training epochs, where the kernel tells it (`/proc/<pid>/task/*/schedstat`).",
    "s",
)
MAIN_THREAD_CPU_SECONDS: Final = attribute(
    "training.main_thread.cpu_time",
    "double",
    "CPU time of the thread that runs the training.",
    "Training epochs, where the kernel tells it (`/proc/<pid>/task/*/schedstat`).",
    "s",
)
VALIDATIONS: Final = attribute("training.validations", "int", "Validations inside the epoch.", _EPOCHS)
CHECKPOINTS: Final = attribute("training.checkpoints", "int", "Checkpoints written inside the epoch.", _EPOCHS)


def _config(name: str, kind: str, meaning: str, unit: str = "") -> str:
    return attribute(CONFIG_PREFIX + name, kind, meaning, "`fit.start` or `fit`, where it is known.", unit)


CONFIG_WORKERS: Final = _config("dataloader.num_workers", "int", "Workers of the training's dataloader.")
CONFIG_BATCH_SIZE: Final = _config("dataloader.batch_size", "int", "Its batch size.", "{sample}")
CONFIG_PREFETCH: Final = _config("dataloader.prefetch_factor", "int", "Batches that a worker makes ahead.")
CONFIG_PIN_MEMORY: Final = _config("dataloader.pin_memory", "boolean", "Whether batches are copied into pinned memory.")
CONFIG_PERSISTENT: Final = _config(
    "dataloader.persistent_workers", "boolean", "Whether workers live on from epoch to epoch."
)
CONFIG_ACCELERATOR: Final = _config("accelerator", "string", "Class of the accelerator.")
CONFIG_WORLD_SIZE: Final = _config("world_size", "int", "Number of ranks.")
CONFIG_PRECISION: Final = _config("precision", "string", "Precision of the training.")
CONFIG_LOG_EVERY: Final = _config("log_every_n_steps", "int", "Batches between two writes to the loggers.")
CONFIG_LOGGERS: Final = _config("loggers", "string[]", "Classes of the loggers.")
CONFIG_BAR_REFRESH: Final = _config(
    "progress_bar.refresh_rate", "int", "The progress bar's `refresh_rate`; 0 where it is off."
)
CONFIG_VAL_CHECK_INTERVAL: Final = _config("val_check_interval", "double", "The Trainer's `val_check_interval`.")
CONFIG_CHECK_VAL_EVERY: Final = _config("check_val_every_n_epoch", "int", "Epochs from one validation to the next.")
CONFIG_LIMIT_VAL: Final = _config("limit_val_batches", "double", "The Trainer's `limit_val_batches`.")
CONFIG_ACCUMULATE: Final = _config("accumulate_grad_batches", "int", "Batches whose gradients one step takes.")
CONFIG_PARAMETERS: Final = _config("parameters", "int", "Numbers that the model learns or holds.")
CONFIG_OPTIMIZER: Final = _config("optimizer.class", "string", "Class of the optimiser.")
CONFIG_OPTIMIZER_IMPLEMENTATION: Final = _config(
    "optimizer.implementation",
    "string",
    "`fused`, `foreach` or `for-loop`; for optimisers of torch that have a choice.",
)
CONFIG_OPTIMIZER_TENSORS: Final = _config("optimizer.tensors", "int", "Parameter tensors that the optimisers step.")
CONFIG_THREADS: Final = _config("torch.threads", "int", "`torch.get_num_threads()`.", "{thread}")
CONFIG_CPUS: Final = _config(
    "cpus", "double", "CPUs that the process may use: the least of its affinity and its cgroup's quota.", "{cpu}"
)
