"""Which readings are drawn together, in the order in which they are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ocr_otel import semconv
from ocr_otel.report.readings import Kind


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric in a plot.

    Attributes:
        metric: Its name.
        name: What its lines are called, beside the attributes in which they differ.
        only: Values of attributes that a series must have.
        kind: What its lines are to the others of the plot.
        over: Attributes over which its series are added up.
        so_far: Whether a counter is drawn as it is, and not as a rate: of what is rare.
    """

    metric: str
    name: str = ""
    only: tuple[tuple[str, str], ...] = ()
    kind: Kind = Kind.USUAL
    over: tuple[str, ...] = ()
    so_far: bool = False

    def takes(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether a series with these attributes belongs to it."""
        return all(attributes.get(key, value) == value for key, value in self.only)


@dataclass(frozen=True, slots=True)
class Panel:
    """A plot.

    Attributes:
        group: Heading that it stands under.
        title: What it shows.
        curves: What is drawn; all of one unit.
        quiet: What is said in its place where all of it is zero; empty where zero says something.
        unit: UCUM unit in which it is read; empty for that of the metric.
        brief: What it is called where there is room for little; empty for what is left out there.
    """

    group: str
    title: str
    curves: tuple[Curve, ...]
    quiet: str = ""
    unit: str = ""
    brief: str = ""


_KERNELS: Final = (("hw.gpu.task", "general"),)
_OF_GPU: Final = (("hw.type", "gpu"),)

_GPU: Final = (
    Panel(
        "GPU",
        "Utilization",
        (
            Curve(semconv.GPU_UTILIZATION, only=_KERNELS),
            Curve(semconv.GPU_UTILIZATION_MAX, "highest", only=_KERNELS, kind=Kind.PEAK),
        ),
        brief="GPU use",
    ),
    Panel("GPU", "Memory controller", (Curve(semconv.GPU_MEMORY_CONTROLLER_UTILIZATION),)),
    Panel(
        "GPU",
        "Device memory",
        (Curve(semconv.GPU_MEMORY_USAGE, "in use"), Curve(semconv.GPU_MEMORY_LIMIT, "size", kind=Kind.LIMIT)),
        brief="GPU memory",
    ),
    Panel("GPU", "Device memory by process", (Curve(semconv.GPU_PROCESS_MEMORY),)),
    Panel(
        "GPU",
        "Power",
        (Curve(semconv.GPU_POWER, only=_OF_GPU), Curve(semconv.GPU_POWER_LIMIT, "limit", kind=Kind.LIMIT)),
        brief="GPU power",
    ),
    Panel("GPU", "Temperature", (Curve(semconv.GPU_TEMPERATURE, only=_OF_GPU),)),
    Panel("GPU", "Clocks", (Curve(semconv.GPU_CLOCK),)),
    Panel(
        "GPU",
        "Clock held down",
        (Curve(semconv.GPU_THROTTLED),),
        "No GPU's clock was held down.",
        "1",
        brief="Clock held down",
    ),
    Panel("GPU", "PCIe", (Curve(semconv.GPU_IO),)),
    Panel("GPU", "NVLink", (Curve(semconv.GPU_NVLINK_IO),), "Nothing went over NVLink."),
    Panel("GPU", "Errors so far", (Curve(semconv.GPU_ERRORS, so_far=True),), "No GPU reported an error."),
)
_TORCH: Final = (
    Panel(
        "PyTorch's memory",
        "Allocator",
        (
            Curve(semconv.TORCH_ALLOCATED, "allocated"),
            Curve(semconv.TORCH_PEAK, "peak", kind=Kind.PEAK),
            Curve(semconv.TORCH_RESERVED, "reserved"),
        ),
    ),
    Panel("PyTorch's memory", "Fragmentation", (Curve(semconv.TORCH_FRAGMENTATION),)),
    Panel(
        "PyTorch's memory",
        "Retries and failures so far",
        (Curve(semconv.TORCH_ALLOC_RETRIES, "retries", so_far=True), Curve(semconv.TORCH_OOMS, "failed", so_far=True)),
        "No allocation had to be tried again.",
    ),
)

_OF_ANY_PROCESS: Final = (semconv.PROCESS_ROLE, semconv.WORKER_ID)
_READ: Final = (("disk.io.direction", "read"),)
_WRITE: Final = (("disk.io.direction", "write"),)

_PROCESSES: Final = (
    Panel(
        "Processes",
        "CPU use, 100 % is one CPU",
        (
            Curve(semconv.PROCESS_CPU_TIME, over=("cpu.mode",)),
            Curve(semconv.PROCESS_CPU_LIMIT, "allowed", kind=Kind.LIMIT),
        ),
        unit="1",
        brief="CPU use",
    ),
    Panel(
        "Processes",
        "Resident memory",
        (Curve(semconv.PROCESS_MEMORY), Curve(semconv.PROCESS_MEMORY_LIMIT, "allowed", kind=Kind.LIMIT)),
        brief="Memory",
    ),
    Panel("Processes", "Memory that a worker shares with no one", (Curve(semconv.PROCESS_MEMORY_UNIQUE),)),
    Panel(
        "Processes",
        "Switches for want of a CPU",
        (Curve(semconv.PROCESS_CONTEXT_SWITCHES, only=(("process.context_switch.type", "involuntary"),)),),
        "No process had to give up its CPU.",
    ),
    Panel(
        "Processes",
        "Page faults that waited for a disk",
        (Curve(semconv.PROCESS_PAGING_FAULTS, only=(("system.paging.fault.type", "major"),)),),
        "No page fault had to wait for a disk.",
    ),
    Panel("Processes", "Open files", (Curve(semconv.PROCESS_OPEN_FILES),)),
)
_IO: Final = (
    Panel(
        "I/O of the training",
        "Read",
        (
            Curve(semconv.IO_REQUESTED, "asked for", only=_READ, over=_OF_ANY_PROCESS),
            Curve(semconv.PROCESS_DISK_IO, "from devices", only=_READ, over=_OF_ANY_PROCESS),
        ),
        "Nothing was read.",
        brief="Read",
    ),
    Panel(
        "I/O of the training",
        "Share that no device had to deliver",
        (Curve(semconv.IO_CACHED),),
        brief="Not from devices",
    ),
    Panel("I/O of the training", "Mean size of a read", (Curve(semconv.IO_REQUEST_SIZE, only=_READ),)),
    Panel(
        "I/O of the training",
        "Written",
        (
            Curve(semconv.IO_REQUESTED, "asked for", only=_WRITE, over=_OF_ANY_PROCESS),
            Curve(semconv.PROCESS_DISK_IO, "to devices", only=_WRITE, over=_OF_ANY_PROCESS),
        ),
        "Nothing was written.",
    ),
)
_DISKS: Final = (
    Panel("Disks", "Time at work", (Curve(semconv.DISK_UTILIZATION),), brief="Disk at work"),
    Panel("Disks", "Wait of an operation", (Curve(semconv.DISK_WAIT),)),
    Panel("Disks", "Operations that wait or are served", (Curve(semconv.DISK_QUEUE),)),
    Panel("Disks", "Traffic", (Curve(semconv.DISK_IO),)),
    Panel("Disks", "Mean size of an operation", (Curve(semconv.DISK_REQUEST_SIZE),)),
)
_HOST: Final = (
    Panel(
        "Pressure and limits",
        "Time in which tasks waited",
        (Curve(semconv.PRESSURE_TIME),),
        "No task waited for CPU, memory or I/O.",
        brief="Tasks waited",
    ),
    Panel(
        "Pressure and limits",
        "CPU use of the host, 100 % is one CPU",
        (
            Curve(semconv.SYSTEM_CPU_TIME, "user", only=(("cpu.mode", "user"),)),
            Curve(semconv.SYSTEM_CPU_TIME, "system", only=(("cpu.mode", "system"),)),
            Curve(semconv.SYSTEM_CPU_TIME, "waiting for I/O", only=(("cpu.mode", "iowait"),)),
            Curve(semconv.SYSTEM_CPU_TIME, "stolen", only=(("cpu.mode", "steal"),)),
        ),
    ),
    Panel("Pressure and limits", "CPU quota in use", (Curve(semconv.CGROUP_CPU_UTILIZATION),)),
    Panel(
        "Pressure and limits",
        "CPU time held back by the quota",
        (Curve(semconv.CGROUP_CPU_THROTTLED_TIME),),
        "The CPU quota never ran out.",
    ),
    Panel(
        "Pressure and limits",
        "Memory of the container",
        (
            Curve(semconv.CGROUP_MEMORY_USAGE, "with page cache"),
            Curve(semconv.CGROUP_MEMORY_WORKING_SET, "working set"),
            Curve(semconv.CGROUP_MEMORY_LIMIT, "limit", kind=Kind.LIMIT),
            Curve(semconv.CGROUP_MEMORY_HIGH, "slowed from here", kind=Kind.LIMIT),
        ),
        brief="Container memory",
    ),
    Panel(
        "Pressure and limits",
        "Memory was short, so far",
        (Curve(semconv.CGROUP_MEMORY_EVENTS, so_far=True),),
        "The container's memory was never short.",
    ),
    Panel(
        "Pressure and limits",
        "Swap of the container",
        (Curve(semconv.CGROUP_SWAP_USAGE), Curve(semconv.CGROUP_SWAP_LIMIT, "limit", kind=Kind.LIMIT)),
        "Nothing was swapped out.",
    ),
    Panel(
        "Pressure and limits",
        "Pages swapped by the host",
        (Curve(semconv.SYSTEM_PAGING_OPERATIONS),),
        "The host swapped nothing.",
    ),
)

PANELS: Final = (*_GPU, *_TORCH, *_PROCESSES, *_IO, *_DISKS, *_HOST)
UNDRAWN: Final = frozenset({
    # These follow from what is drawn.
    semconv.GPU_MEMORY_FREE, semconv.GPU_MEMORY_RESERVED, semconv.GPU_ENERGY, semconv.TORCH_ACTIVE,
    semconv.TORCH_INACTIVE_SPLIT, semconv.PROCESS_CPU, semconv.IO_OPERATIONS, semconv.DISK_OPERATIONS,
    semconv.CGROUP_CPU_TIME, semconv.CGROUP_CPU_LIMIT, semconv.CGROUP_CPU_PERIODS,
    semconv.CGROUP_CPU_THROTTLED_PERIODS, semconv.CGROUP_MEMORY_UTILIZATION,
    # These are a line of text, or are looked up in the backend when something else asks for them.
    semconv.PATH_COUNT, semconv.PROCESS_THREADS, semconv.PROCESS_COUNT, semconv.DISK_MERGED,
})  # fmt: skip
"""What is read and not drawn."""
