"""Every `OCR_OTEL_*` environment variable: typed, parsed once, with errors that name variable, value and what helps.

Where telemetry goes is told by the standard `OTEL_*` variables, which `telemetry` reads; they are not repeated here.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ocr_otel.errors import SettingsError as SettingsError

PREFIX: Final = "OCR_OTEL_"
OFF: Final = "off"
RUN_ID: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""A name of a run, which becomes that of a directory."""
URL: Final = r"^https?://[^\s/?#]+[^\s?#]*$"
"""Where a page is, without a query."""


def _listed(value: object) -> object:
    """Split what is written with commas, or take a list; `off` is nothing."""
    if isinstance(value, str):
        value = value.lower().split(",")
    elif not isinstance(value, Sequence):
        return value
    names = [name.strip() for name in map(str, value) if name.strip()]
    return tuple(dict.fromkeys(names)) if names != [OFF] else ()


ProfileModes = Annotated[
    tuple[Literal["on-demand", "anomaly", "start", "validation"], ...], NoDecode, BeforeValidator(_listed)
]
TrackerParts = Annotated[tuple[Literal["summaries", "links", "report"], ...], NoDecode, BeforeValidator(_listed)]
ProfileDetails = Annotated[
    tuple[Literal["shapes", "stack", "memory", "flops"], ...], NoDecode, BeforeValidator(_listed)
]


def _lowered(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


LogLevel = Annotated[
    Literal["off", "debug", "info", "warning", "error", "critical"], NoDecode, BeforeValidator(_lowered)
]


class Settings(BaseSettings):
    """The settings of one process, from environment variables with the prefix `OCR_OTEL_`.

    Each field is one variable; its description is the documentation of the variable.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    enabled: Annotated[
        bool,
        Field(
            description="Instrument every Trainer of this process. `false` also silences an OTelCallback "
            "that was passed by hand."
        ),
    ] = False
    runs_dir: Annotated[
        Path,
        Field(
            description="Where the run directories are written: the telemetry when no OTLP endpoint and no exporter is "
            "named, else what an endpoint has not acknowledged and the traces of profiler windows."
        ),
    ] = Path("runs")
    run_id: Annotated[
        str | None,
        Field(
            pattern=f"^{RUN_ID}$",
            description="Name of the run, and of its directory; letters, digits, `.`, `_`, `-`. Default: time and a "
            "random part.",
        ),
    ] = None
    batch_spans: Annotated[
        int,
        Field(
            ge=0,
            le=2000,
            description="Batches kept as traces in one epoch of a stage, the slow ones not counted. "
            "0 keeps only slow and failed batches.",
        ),
    ] = 200
    slow_batch_ratio: Annotated[
        float,
        Field(
            gt=1, le=1000, description="A batch is slow, and kept, when it takes this many times the running median."
        ),
    ] = 2.0
    resource_interval: Annotated[
        float,
        Field(
            ge=0,
            le=60,
            description="Seconds between two readings of GPUs, memory, processes and I/O. 0 reads none of them.",
        ),
    ] = 1.0
    gpus: Annotated[
        Literal["used", "all"],
        Field(
            description="Which GPUs are read: `used`, by each rank those on which it holds memory; `all`, every one of "
            "the host, by its first rank."
        ),
    ] = "used"
    memory_snapshot: Annotated[
        bool,
        Field(
            description="Record the history of PyTorch's device memory, and write a snapshot of it where memory runs "
            "out, for pytorch.org/memory_viz. It slows allocations a little."
        ),
    ] = False
    profile: Annotated[
        ProfileModes,
        Field(
            description="When windows of `torch.profiler` open, separated by commas: `on-demand` (`ocr-otel profile`), "
            "`anomaly` (a batch or the throughput far off its median), `start` (the first batches), `validation` (the "
            "first validation); or `off`."
        ),
    ] = ("on-demand",)
    profile_every: Annotated[
        int,
        Field(
            ge=0,
            description="Training batches from one periodic window of the profiler to the next; 0 opens none.",
        ),
    ] = 0
    profile_warmup: Annotated[
        int, Field(ge=0, le=100, description="Batches in which the profiler warms up before it records.")
    ] = 1
    profile_batches: Annotated[
        int, Field(ge=1, le=100, description="Batches that a window of the profiler records.")
    ] = 3
    profile_windows: Annotated[
        int,
        Field(
            ge=1, le=1000, description="Windows of each kind that may open by themselves in a run; on demand is free."
        ),
    ] = 10
    profile_details: Annotated[
        ProfileDetails,
        Field(
            description="What the profiler records beside times, separated by commas: `shapes`, `stack`, `memory`, "
            "`flops`. Each costs time and size."
        ),
    ] = ()
    profile_files_size: Annotated[
        int,
        Field(
            ge=1_000_000,
            description="Bytes that the trace files of a run may take; the oldest are removed, the newest stays.",
        ),
    ] = 500_000_000
    watchdog: Annotated[
        bool,
        Field(
            description="Start a small process beside the training that ends its open spans when it is killed, and "
            "says where it hangs."
        ),
    ] = True
    hang_after: Annotated[
        float,
        Field(
            ge=0,
            description="Seconds without progress after which a training is said to hang, at least; the longer its own "
            "sections take, the longer. 0 looks for none.",
        ),
    ] = 300.0
    spool: Annotated[
        bool,
        Field(
            description="Where an OTLP endpoint is named: keep on disk, below `OCR_OTEL_RUNS_DIR`, what it has not "
            "acknowledged, and deliver it later."
        ),
    ] = True
    spool_size: Annotated[
        int,
        Field(ge=1_000_000, description="Bytes that a process may keep there; what comes when it is full is dropped."),
    ] = 200_000_000
    logs: Annotated[
        LogLevel,
        Field(
            description="Send what the program logs with Python's `logging`, and its warnings, from this level on as "
            "OpenTelemetry logs, under the batch in which it was logged: `debug`, `info`, `warning`, `error`, "
            "`critical`; or `off`. Needs `ocr_otel[logs]`."
        ),
    ] = "off"
    trackers: Annotated[
        TrackerParts,
        Field(
            description="What the Trainer's loggers (W&B, MLflow, TensorBoard, CSV, ...) are given, separated by "
            "commas: `summaries` (numbers at each epoch), `links` (ids and addresses by which run and traces are "
            "found), `report` (the HTML report as an artifact of W&B and MLflow; making it takes seconds at the end); "
            "or `off`."
        ),
    ] = ("summaries", "links")
    jaeger_url: Annotated[
        str | None,
        Field(pattern=URL, description="Where people open Jaeger, such as `http://localhost:16686`, for those links."),
    ] = None
    grafana_url: Annotated[
        str | None,
        Field(pattern=URL, description="Where people open Grafana with our dashboards, for those links."),
    ] = None
    summary: Annotated[bool, Field(description="Print the summary card in the terminal when a run ends.")] = True
    flush_timeout: Annotated[
        float,
        Field(gt=0, le=300, description="Seconds that the end of a run may wait for telemetry to be delivered."),
    ] = 5.0


def load(environ: Mapping[str, str] | None = None, given: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings.

    Args:
        environ: Only checked for unknown names; values always come from the process environment.
        given: Values by the name of a field, which go before those of the environment.

    Returns:
        The settings of this process.

    Raises:
        SettingsError: A variable is unknown, or a value is not allowed.
    """
    names = os.environ if environ is None else environ
    known = variables()
    for name in names:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise SettingsError(f"{name} is not a setting of ocr_otel: {hint}")
    arguments = dict(given or {})
    for name in arguments:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(Settings.model_fields)}."
            raise SettingsError(f"{name} is not a setting of ocr_otel: {hint}")
    try:
        return Settings(**arguments)
    except ValidationError as error:
        raise SettingsError(
            "; ".join(_explain(item["loc"], item["input"], item["msg"], arguments) for item in error.errors())
        ) from None


def variables() -> dict[str, str]:
    """Return each variable's name and description, in the order of the fields."""
    return {PREFIX + name.upper(): field.description or "" for name, field in Settings.model_fields.items()}


def _explain(location: tuple[int | str, ...], value: object, message: str, given: Mapping[str, Any]) -> str:
    field = str(location[0]) if location else ""
    variable = PREFIX + field.upper()
    name = field if field in given else variable
    return f"{name}={value!r} is not allowed: {message[0].lower()}{message[1:]}. {variables().get(variable, '')}"


def _written(default: object) -> str:
    if isinstance(default, tuple):
        default = ",".join(default)
    return f"`{str(default).lower()}`" if default not in (None, "") else ""


def markdown_table() -> str:
    """Return the table of variables that the README shows."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = _written(field.default)
        rows.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(rows)
