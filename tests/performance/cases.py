"""What the benchmark compares, and how one case is run: a fresh process each time."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

WORKLOAD: Final = Path(__file__).with_name("workload.py")
TIMEOUT_SECONDS: Final = 180
ENDPOINT: Final = "{endpoint}"
"""In a case's environment: stands for an address that accepts connections and never answers."""
_OURS: Final = ("OCR_OTEL_", "OTEL_", "TRACEML_")


class CaseFailed(RuntimeError):
    """A case's process failed; the message ends with what it printed last."""


@dataclass(frozen=True, slots=True)
class Case:
    """One way to train.

    Attributes:
        name: Short name.
        label: For the reader of the table.
        arguments: Arguments of the workload.
        environment: Environment variables, on top of a clean environment.
        launcher: A program that runs the script in place of Python; the case is left out where it is missing.
    """

    name: str
    label: str
    arguments: tuple[str, ...] = ("--no-entry-points",)
    environment: tuple[tuple[str, str], ...] = ()
    launcher: str = ""

    def launcher_path(self) -> str | None:
        """Return where the launcher is, of this Python's environment first; None where it is missing."""
        return shutil.which(self.launcher, path=str(Path(sys.executable).parent)) or shutil.which(self.launcher)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch of a case took.

    Attributes:
        quiet: Time of a batch that the machine hardly disturbed, seconds: the 10th percentile.
        median: Median time of a batch, seconds.
        mean: Mean time of a batch, seconds.
        outside: Time of `Trainer.fit` before the first batch and after the last, seconds.
    """

    quiet: float
    median: float
    mean: float
    outside: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one process took.

    Attributes:
        epochs: Its epochs, in order.
        peak_rss: Peak of its resident memory, bytes; of the training process, not of a launcher's helpers.
    """

    epochs: tuple[Epoch, ...]
    peak_rss: int


BARE: Final = Case("bare", "Lightning alone")
CASES: Final = (
    BARE,
    Case("off", "**ocr_otel** installed, off", arguments=()),
    Case("on", "**ocr_otel** on, defaults", arguments=(), environment=(("OCR_OTEL_ENABLED", "true"),)),
    Case(
        "hanging",
        "**ocr_otel** on, Collector hangs",
        arguments=(),
        environment=(
            ("OCR_OTEL_ENABLED", "true"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", ENDPOINT),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ),
    ),
    Case("traceml", "TraceML, `traceml run`", launcher="traceml"),
)
"""Each in a process of its own: what it adds to the start and to memory is seen, and what cannot share a process."""

KEEP_NONE: Final = 0.0
ONE_IN_TEN: Final = 0.1
KEEP_ALL: Final = 1.0
INTERLEAVED: Final = (
    (
        KEEP_NONE,
        {
            "bare": "Lightning alone",
            "empty": "an empty callback",
            "simple": '`profiler="simple"`',
            "device-stats": "`DeviceStatsMonitor`",
            "ours": "**ocr_otel**, no batch kept",
        },
    ),
    # What the default of 200 batches keeps of an epoch of 2,000.
    (ONE_IN_TEN, {"bare": "Lightning alone", "ours": "**ocr_otel**, one batch in ten kept"}),
    (KEEP_ALL, {"bare": "Lightning alone", "ours": "**ocr_otel**, every batch kept"}),
)
"""In turn in one process: the share of the batches that ocr_otel keeps, and the cases with their labels."""


def run(case: Case, epochs: Sequence[tuple[int, int]], directory: Path, endpoint: str = "") -> Measurement:
    """Run a case in a fresh process.

    Args:
        case: The case.
        epochs: Batches, and matrix products in a batch, of each epoch.
        directory: Where it may write; must not exist.
        endpoint: Address that stands in for `ENDPOINT`.

    Raises:
        CaseFailed: The process failed, or took too long.
    """
    arguments = list(case.arguments)
    for batches, products in epochs:
        arguments += ["--epoch", str(batches), str(products)]
    result = _workload(arguments, directory, case, endpoint)
    return Measurement(tuple(Epoch(**epoch) for epoch in result["epochs"]), result["peak_rss"])


def run_interleaved(
    names: Sequence[str], kept: float, rounds: int, batches: int, products: int, directory: Path
) -> dict[str, list[Epoch]]:
    """Run cases in turn in one fresh process.

    Args:
        names: Cases that the workload knows by name; `ours` is ocr_otel.
        kept: Share of the batches that ocr_otel keeps.
        rounds: How often each is run.
        batches: Batches of each training.
        products: Matrix products in a batch.
        directory: Where it may write; must not exist.

    Returns:
        What each training took, by case.
    """
    case = Case(
        "interleaved",
        "",
        environment=(("OCR_OTEL_BATCH_SPANS", str(round(kept * batches))), ("OCR_OTEL_SUMMARY", "false")),
    )
    arguments = ["--no-entry-points", "--epoch", str(batches), str(products), "--rounds", str(rounds)]
    arguments += ["--interleave", *names]
    measured = _workload(arguments, directory, case, "", timeout=rounds * len(names) * 10 + TIMEOUT_SECONDS)
    return {name: [Epoch(**epoch) for epoch in epochs] for name, epochs in measured.items()}


def products_for(seconds: float, directory: Path) -> int:
    """Return how many matrix products take about so many seconds."""
    return int(_workload(["--calibrate", str(seconds)], directory, BARE, "")["products"])


def clean_environment() -> dict[str, str]:
    """Return this process's environment without variables that configure what is compared."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def _workload(
    arguments: list[str], directory: Path, case: Case, endpoint: str, timeout: float = TIMEOUT_SECONDS
) -> dict[str, Any]:
    directory.mkdir(parents=True)
    result = directory / "result.json"
    arguments = [*arguments, "--result", str(result)]
    if case.launcher:
        command = [case.launcher_path() or case.launcher, "run", str(WORKLOAD)]
        command += ["--logs-dir", str(directory / "logs"), "--run-name", "benchmark", "--args"]
    else:
        command = [sys.executable, str(WORKLOAD)]
    environment = clean_environment() | {key: value.replace(ENDPOINT, endpoint) for key, value in case.environment}
    try:
        done = subprocess.run(
            [*command, *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise CaseFailed(f"{case.name} took more than {timeout:.0f} s") from error
    if done.returncode or not result.is_file():
        raise CaseFailed(
            f"{case.name} failed with status {done.returncode}:\n{done.stdout[-500:]}{done.stderr[-2000:]}"
        )
    measured: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return measured


@contextmanager
def hanging_endpoint() -> Iterator[str]:
    """Give the address of a server on this machine that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
