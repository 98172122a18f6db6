"""Starts trainings of several ranks, in each way in which ranks are started, and reads what they left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ocr_otel import semconv
from ocr_otel.semconv import Kept
from tests.support.otlp import Metrics, Span, Traces
from tests.support.preloaded import Process, Program, begin

FOLDER = Path(__file__).parent
SCRIPT = FOLDER / "ranked_script.py"
FABRIC_SCRIPT = FOLDER / "ranked_fabric_script.py"
ELASTIC_SCRIPT = FOLDER / "elastic_script.py"
LONGEST_RUN = 150
"""Seconds."""


@dataclass
class Run:
    """What the ranks of a run left."""

    folder: Path
    statuses: list[int]
    output: str

    @property
    def directories(self) -> list[Path]:
        """Those of the runs in the order in which they began."""
        return sorted(path for path in (self.folder / "runs").iterdir() if (path / "rank-0").exists())

    @cached_property
    def traces(self) -> dict[int, Traces]:
        """Of each rank of the only run."""
        (directory,) = self.directories
        return traces_of(directory)

    def metrics(self, rank: int) -> Metrics:
        """A rank's."""
        (directory,) = self.directories
        return Metrics(directory / f"rank-{rank}" / "metrics.jsonl")

    def losses(self, plant: str = "none") -> list[str]:
        """Of each rank."""
        return [path.read_text() for path in sorted(self.folder.glob(f"losses-{plant}-*"))]

    def epochs(self, rank: int = 0) -> list[Span]:
        """A rank's epochs, in order of time."""
        found = [span for span in self.traces[rank].spans if span.name == semconv.TRAIN_EPOCH]
        return sorted(found, key=lambda span: span.start)


def traces_of(directory: Path) -> dict[int, Traces]:
    """The traces of each rank of a run."""
    files = sorted(directory.glob("rank-*/traces.jsonl"))
    return {int(path.parent.name.removeprefix("rank-")): Traces(path) for path in files}


def by_trace(traces: Mapping[int, Traces]) -> dict[str, set[int]]:
    """Ranks in each batch trace that all ranks keep."""
    found: dict[str, set[int]] = defaultdict(set)
    for rank, each in traces.items():
        for span in each.roots(semconv.TRAIN_BATCH):
            if span.attributes[semconv.KEPT] in (Kept.FIRST, Kept.REGULAR):
                found[span.trace_id].add(rank)
    return found


def twice(traces: Mapping[int, Traces]) -> list[tuple[str, str]]:
    """Ids of spans that are there more than once."""
    ids = Counter((span.trace_id, span.span_id) for each in traces.values() for span in each.spans)
    return [each for each, number in ids.items() if number > 1]


def free_port() -> str:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def wait_for_port(port: str, deadline_seconds: float = 60) -> None:
    """Return when somebody listens at a port of this host.

    Raises:
        OSError: Nobody does in time.
    """
    deadline = time.monotonic() + deadline_seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", int(port)), timeout=1):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def recorded(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a recorded run."""
    return {"OCR_OTEL_ENABLED": "true", "OCR_OTEL_RUNS_DIR": str(folder / "runs"), **more}


def begin_ranks(
    folder: Path,
    number: int = 2,
    arguments: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    of_rank: Mapping[int, Mapping[str, str]] | None = None,
    patches: Mapping[int, str] | None = None,
    script: Path = SCRIPT,
) -> list[Process]:
    """Start each rank, as a cluster does that creates the processes itself."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": free_port(),
        "NODE_RANK": "0",
        "WORLD_SIZE": str(number),
    }
    if script == SCRIPT:
        arguments = [f"--folder={folder}", f"--devices={number}", *arguments]
    return [
        begin(
            Program(
                [str(script), *arguments],
                folder,
                folder / f"output-{rank}",
                {**cluster, "LOCAL_RANK": str(rank), **(environment or {}), **(of_rank or {}).get(rank, {})},
                (patches or {}).get(rank, ""),
            )
        )
        for rank in range(number)
    ]


def ended(folder: Path, processes: Sequence[Process], deadline_seconds: float = 100) -> Run:
    """Wait for processes, each so long, and read what they left."""
    statuses = [process.wait(deadline_seconds) for process in processes]
    return Run(folder, statuses, "\n".join(path.read_text() for path in sorted(folder.glob("output-*"))))


def run_ranks(folder: Path, *arguments: str, number: int = 2, record: bool = True, **more: object) -> Run:
    """Run a training of some ranks; see `begin_ranks`."""
    environment = recorded(folder) if record else {}
    environment |= more.pop("environment", {})  # type: ignore[arg-type]
    return ended(folder, begin_ranks(folder, number, arguments, environment, **more))  # type: ignore[arg-type]


def run_command(folder: Path, command: Sequence[object], **environment: str) -> Run:
    """Run a program as a user does."""
    folder.mkdir(parents=True, exist_ok=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OCR_OTEL", "OTEL_", "TORCHELAS"))}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=clean | recorded(folder) | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=LONGEST_RUN,
        check=False,
    )
    return Run(folder, [done.returncode], done.stdout + done.stderr)


def run_launching(folder: Path, *arguments: str) -> Run:
    """Run the script by itself: Lightning starts the other ranks."""
    program = Program([str(SCRIPT), f"--folder={folder}", *arguments], folder, folder / "output-0", recorded(folder))
    return ended(folder, [begin(program)])


def run_torchrun(folder: Path) -> Run:
    """Run it by `torchrun`."""
    torchrun = Path(sys.executable).with_name("torchrun")
    return run_command(folder, [torchrun, "--standalone", "--nproc-per-node=2", SCRIPT, f"--folder={folder}"])


def begin_agent(
    folder: Path,
    arguments: Sequence[str],
    script: Sequence[str],
    number: int = 0,
    environment: Mapping[str, str] | None = None,
) -> Process:
    """Start an elastic agent."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = [str(ELASTIC_SCRIPT), *arguments, str(SCRIPT), f"--folder={folder}", *script]
    more = recorded(folder) | dict(environment or {})
    return begin(Program(argv, folder, folder / f"output-{number}", more))
