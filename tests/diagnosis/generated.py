"""The kinds that only a GPU shows, by traces that are generated: built like real ones, of a workload that is known.

No GPU took part. Each workload plants its bottleneck in another degree than its neighbours, and is read and judged by
the same code as a trace file of a user's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel.diagnosis import Observation, diagnose
from ocr_otel.profiling.kineto.analysis import profile_of
from tests.diagnosis.judged import Answer
from tests.diagnosis.trainings.case import NONE
from tests.support import kineto_traces
from tests.support.kineto_traces import Workload


@dataclass(frozen=True, slots=True)
class Trace:
    """A generated trace.

    Attributes:
        name: Its name.
        kind: The label: what the workload was made to be limited by.
        workload: What it simulates.
    """

    name: str
    kind: str
    workload: Workload


# A batch of the usual workload keeps the device busy for about 17 ms.
TRACES: Final = (
    Trace("data-30-ms", "data", kineto_traces.data_bound(fetch=30e-3)),
    Trace("data-60-ms", "data", kineto_traces.data_bound(style="lightning")),
    Trace("data-200-ms", "data", kineto_traces.data_bound(fetch=200e-3, batches=4)),
    Trace("data-45-ms-plain", "data", kineto_traces.data_bound(fetch=45e-3, style="plain")),
    Trace("transfer-of-80-megabytes", "transfer", kineto_traces.transfer_bound(batch_bytes=80_000_000)),
    Trace("transfer-of-240-megabytes", "transfer", kineto_traces.transfer_bound(style="lightning")),
    Trace("transfer-pinned", "transfer", kineto_traces.transfer_bound(batch_bytes=900_000_000, pinned=True)),
    Trace("launch-tiny-kernels", "launch", kineto_traces.launch_bound()),
    Trace("launch-small-kernels", "launch", kineto_traces.launch_bound(kernel=10e-6, style="lightning")),
    Trace("launch-by-python", "launch", kineto_traces.launch_bound(python=60e-6, stack=True)),
    Trace("launch-slow-python", "launch", kineto_traces.balanced(python=600e-6)),
    Trace("compute-long", "compute", kineto_traces.compute_bound()),
    Trace("compute-longer", "compute", kineto_traces.compute_bound(kernel=6e-3, style="lightning")),
    Trace("compute-wide", "compute", kineto_traces.compute_bound(layers=40, kernel=1.2e-3)),
    Trace("memory-activations", "memory_bandwidth", kineto_traces.memory_bound()),
    Trace("memory-element-wise", "memory_bandwidth", kineto_traces.memory_bound(compute=False, kernel=1e-3)),
    Trace("memory-many", "memory_bandwidth", kineto_traces.memory_bound(elementwise=14, style="lightning")),
    Trace("items-each-layer", "synchronization", kineto_traces.sync_bound()),
    Trace("items-each-layer-stack", "synchronization", kineto_traces.sync_bound(stack=True, style="lightning")),
    Trace("items-each-other-layer", "synchronization", kineto_traces.sync_bound(items=15, elementwise=1)),
    Trace("reduced-after-backward", "communication", kineto_traces.communication_bound()),
    Trace("reduced-150-megabytes", "communication", kineto_traces.communication_bound(collective_bytes=150_000_000)),
    Trace(
        "reduced-more-than-backward-hides",
        "communication",
        kineto_traces.communication_bound(collective_bytes=900_000_000, overlap=True, style="lightning"),
    ),
    Trace("optimizer-400-tensors", "optimizer", kineto_traces.optimizer_bound()),
    Trace("optimizer-800-tensors", "optimizer", kineto_traces.optimizer_bound(parameters=800, kernel=400e-6)),
    Trace("optimizer-250-tensors", "optimizer", kineto_traces.optimizer_bound(parameters=250, kernel=150e-6)),
    Trace("usual", NONE, kineto_traces.balanced()),
    Trace("usual-lightning", NONE, kineto_traces.balanced(style="lightning")),
    Trace("fetch-behind-the-device", NONE, kineto_traces.balanced(fetch=8e-3)),
    Trace("reduction-behind-backward", NONE, kineto_traces.balanced(collective_bytes=60_000_000)),
    Trace("one-item", NONE, kineto_traces.balanced(items=1, noise=0.3)),
    Trace("copy-from-pinned-memory", NONE, kineto_traces.balanced(batch_bytes=20_000_000)),
)


def judge(folder: Path) -> list[Answer]:
    """Write each trace, read it, and return what is said of it."""
    answers = []
    for trace in TRACES:
        path = kineto_traces.write(trace.workload, folder / f"{trace.name}.pt.trace.json.gz")
        found = diagnose(Observation.of_window(profile_of(path)))
        causes = found.causes if found is not None else ()
        answers.append(
            Answer(
                trace.name,
                trace.kind,
                said=str(causes[0].kind) if causes else "",
                share=causes[0].share if causes else 0.0,
                ranked=tuple(str(cause.kind) for cause in causes),
                summary=causes[0].summary if causes else "",
            )
        )
    return answers
