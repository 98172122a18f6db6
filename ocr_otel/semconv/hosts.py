"""Metrics of the training process, its dataloader workers, the disks under them, their cgroup and their host.

The names of the OpenTelemetry conventions are spelled here once more because dashboards and rules are made from this
package alone; a test compares them with `opentelemetry.semconv`. What `opentelemetry-instrumentation-system-metrics`
makes for us is not here: `resources.host.system` lists it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ocr_otel.semconv.names import attribute, resource_metric


class ProcessRole(StrEnum):
    """Values of `training.process.role`."""

    MAIN = "main"
    """The process that runs the loop."""
    WORKER = "worker"
    """A worker of a dataloader."""
    OTHER = "other"
    """Other processes below the training, added up: compilers, servers that fork, loggers. Not other ranks."""


PROCESS_ROLE: Final = attribute(
    "training.process.role", "string", "Which of the training's processes.", "Metrics of processes."
)

_PROCESS: Final = (
    "By `training.process.role`, workers by `training.dataloader.worker.id`; those beyond 64 are one series without it."
)
# The kernel adds a process's I/O to its parent's once that has waited for it; what is known of it is taken off again.
_IO: Final = (
    f"{_PROCESS} What a worker did after its last reading counts as `main`. Where `/proc/<pid>/io` may be read."
)
_IO_DIRECTION: Final = f"Also by `disk.io.direction`. {_IO}"

PROCESS_MEMORY: Final = resource_metric("process.memory.usage", "updowncounter", "By", "Resident memory.", _PROCESS)
PROCESS_MEMORY_UNIQUE: Final = resource_metric(
    "training.process.memory.unique",
    "gauge",
    "By",
    "Memory that would be free if the process ended: resident memory less what it shares with the one it was forked "
    "from. Read for one worker at a time, each every minute at most and for as long as that is cheap.",
    f"Workers. {_PROCESS}",
)
PROCESS_CPU_TIME: Final = resource_metric(
    "process.cpu.time", "counter", "s", "CPU time; 1 s a second is one CPU.", f"Also by `cpu.mode`. {_PROCESS}"
)
PROCESS_CPU: Final = resource_metric(
    "process.cpu.utilization",
    "gauge",
    "1",
    "CPU time since the last reading over the elapsed time and the CPUs that the process may use.",
    _PROCESS,
)
PROCESS_CPU_LIMIT: Final = resource_metric(
    "training.process.cpu.limit",
    "gauge",
    "{cpu}",
    "CPUs that the training process may use: the least of host, affinity, cpuset and cgroup quota.",
    "Always.",
)
PROCESS_MEMORY_LIMIT: Final = resource_metric(
    "training.process.memory.limit",
    "gauge",
    "By",
    "Memory that the training may use: the least of the host's and the cgroups' limits.",
    "Always.",
)
PROCESS_CONTEXT_SWITCHES: Final = resource_metric(
    "process.context_switches",
    "counter",
    "{context_switch}",
    "Context switches of the process's first thread: voluntary ones wait, involuntary ones lack a CPU.",
    f"Also by `process.context_switch.type`. {_PROCESS}",
)
PROCESS_PAGING_FAULTS: Final = resource_metric(
    "process.paging.faults",
    "counter",
    "{fault}",
    "Page faults; a major one waits for a disk, as the first touch of a memory-mapped file does.",
    f"Also by `system.paging.fault.type`. {_PROCESS}",
)
PROCESS_THREADS: Final = resource_metric("process.thread.count", "updowncounter", "{thread}", "Threads.", _PROCESS)
PROCESS_OPEN_FILES: Final = resource_metric(
    "process.unix.file_descriptor.count", "updowncounter", "{file_descriptor}", "Open file descriptors.", _PROCESS
)
PROCESS_COUNT: Final = resource_metric(
    "training.process.count", "gauge", "{process}", "Processes that run.", "By `training.process.role`."
)
PROCESS_DISK_IO: Final = resource_metric(
    "process.disk.io", "counter", "By", "Bytes moved between the process and storage devices.", _IO_DIRECTION
)

IO_REQUESTED: Final = resource_metric(
    "training.io.requested",
    "counter",
    "By",
    "Bytes asked for by read and write calls, from caches, devices, network file systems and pipes alike.",
    _IO_DIRECTION,
)
IO_OPERATIONS: Final = resource_metric(
    "training.io.operations", "counter", "{operation}", "Read and write calls.", _IO_DIRECTION
)
IO_REQUEST_SIZE: Final = resource_metric(
    "training.io.request.size",
    "gauge",
    "By",
    "Mean bytes a call since the last reading.",
    f"Where there were calls. {_IO_DIRECTION}",
)
IO_CACHED: Final = resource_metric(
    "training.io.cached.ratio",
    "gauge",
    "1",
    "Share of the bytes read since the last reading that no device of this host had to deliver: 1 less device bytes "
    "over requested bytes, at least 0. Memory-mapped files and reading ahead count as device bytes alone and lower it; "
    "network file systems have no device here and raise it.",
    f"Where 1 MiB or more was asked for since the last reading. {_IO}",
)

PATH_COUNT: Final = resource_metric(
    "training.filesystem.paths",
    "gauge",
    "{path}",
    "How many of the run's places (working directory, checkpoints, data set) lie on such a file system.",
    "By `system.filesystem.type`, `kind` = disk, network, fuse, overlay, memory, other, and `system.device`, with one.",
)

_DISK: Final = "By `system.device`: the disks under the run's places, at most 8."
_DISK_DIRECTION: Final = f"Also by `disk.io.direction`. {_DISK}"

# Not `system.disk.*`: those are all disks of a host, made once a host by its agent, and would be counted twice.
DISK_IO: Final = resource_metric("training.disk.io", "counter", "By", "Bytes read and written.", _DISK_DIRECTION)
DISK_OPERATIONS: Final = resource_metric(
    "training.disk.operations", "counter", "{operation}", "Operations that were completed.", _DISK_DIRECTION
)
DISK_UTILIZATION: Final = resource_metric(
    "training.disk.utilization",
    "gauge",
    "1",
    "Share of the time since the last reading in which the disk had anything to do. A device that serves many at once, "
    "as SSDs do, is not full at 1: see the queue and the wait.",
    _DISK,
)
DISK_QUEUE: Final = resource_metric(
    "training.disk.queue.length", "gauge", "{operation}", "Mean operations waiting or in service.", _DISK
)
DISK_WAIT: Final = resource_metric(
    "training.disk.wait",
    "gauge",
    "s",
    "Mean time of an operation, queue included, since the last reading.",
    f"Where there were operations. {_DISK_DIRECTION}",
)
DISK_REQUEST_SIZE: Final = resource_metric(
    "training.disk.request.size",
    "gauge",
    "By",
    "Mean size of an operation since the last reading; few kilobytes are random access, hundreds are sequential.",
    f"Where there were operations. {_DISK_DIRECTION}",
)
DISK_MERGED: Final = resource_metric(
    "training.disk.merged.ratio",
    "gauge",
    "1",
    "Share of the requests since the last reading that the kernel joined with a neighbour before the disk saw them. "
    "High means sequential; low does not mean random, for large requests have no neighbours to be joined with.",
    f"Where there were operations. {_DISK_DIRECTION}",
)

PRESSURE_TIME: Final = resource_metric(
    "training.pressure.time",
    "counter",
    "s",
    "Time in which some task, or all of them at once (`full`), waited for a resource: the cgroup's own where it has "
    "one, else the host's.",
    "By `resource` = cpu, io, memory, and `kind` = some, full; where the kernel has pressure stall information.",
)

attribute("resource", "string", "What was waited for: cpu, io or memory.", "`training.pressure.time`.")
attribute(
    "kind",
    "string",
    "Which of the few kinds that the metric tells apart; they are listed there.",
    "`training.pressure.time`, `training.filesystem.paths`, `training.cgroup.memory.events`.",
)

# Of several cgroups above each other, the one with the least limit binds, and is the one that is read.
_QUOTA: Final = "In a cgroup with a CPU quota; of the ancestor with the least quota."
_CPU: Final = "In a cgroup; of the ancestor with the least CPU quota, without a quota its own."
_MEMORY: Final = "In a cgroup; of the ancestor with the least limit, without a limit its own."
_LIMIT: Final = "In a cgroup with a memory limit; of the ancestor with the least limit."

CGROUP_CPU_TIME: Final = resource_metric(
    "training.cgroup.cpu.time", "counter", "s", "CPU time of all processes of the cgroup.", _CPU
)
CGROUP_CPU_LIMIT: Final = resource_metric("training.cgroup.cpu.limit", "gauge", "{cpu}", "The CPU quota.", _QUOTA)
CGROUP_CPU_UTILIZATION: Final = resource_metric(
    "training.cgroup.cpu.utilization", "gauge", "1", "CPU time since the last reading over the quota.", _QUOTA
)
CGROUP_CPU_PERIODS: Final = resource_metric(
    "training.cgroup.cpu.periods", "counter", "{period}", "Periods of the quota in which anything ran.", _QUOTA
)
CGROUP_CPU_THROTTLED_PERIODS: Final = resource_metric(
    "training.cgroup.cpu.throttled.periods", "counter", "{period}", "Periods in which the quota ran out.", _QUOTA
)
CGROUP_CPU_THROTTLED_TIME: Final = resource_metric(
    "training.cgroup.cpu.throttled.time", "counter", "s", "Time that CPUs were held back.", _QUOTA
)
CGROUP_MEMORY_USAGE: Final = resource_metric(
    "training.cgroup.memory.usage", "gauge", "By", "Memory charged to the cgroup, page cache included.", _MEMORY
)
CGROUP_MEMORY_WORKING_SET: Final = resource_metric(
    "training.cgroup.memory.working_set",
    "gauge",
    "By",
    "Memory charged to the cgroup less the page cache that is easily given up.",
    _MEMORY,
)
CGROUP_MEMORY_LIMIT: Final = resource_metric("training.cgroup.memory.limit", "gauge", "By", "The limit.", _LIMIT)
CGROUP_MEMORY_HIGH: Final = resource_metric(
    "training.cgroup.memory.high",
    "gauge",
    "By",
    "Above this its processes are slowed down to free memory.",
    "In a cgroup of version 2 that sets it; the least of the ancestors'.",
)
CGROUP_MEMORY_UTILIZATION: Final = resource_metric(
    "training.cgroup.memory.utilization", "gauge", "1", "Working set over the limit.", _LIMIT
)
CGROUP_MEMORY_EVENTS: Final = resource_metric(
    "training.cgroup.memory.events",
    "counter",
    "{event}",
    "How often memory was short: above `high`, at the limit (`max`), out of memory (`oom`), a process killed for it.",
    "In a cgroup, by `kind` = high, max, oom, oom_kill.",
)
CGROUP_SWAP_USAGE: Final = resource_metric(
    "training.cgroup.swap.usage", "gauge", "By", "Swap in use by the cgroup.", "In a cgroup that counts it."
)
CGROUP_SWAP_LIMIT: Final = resource_metric(
    "training.cgroup.swap.limit", "gauge", "By", "Swap that the cgroup may use.", "In a cgroup that limits it."
)

_HOST: Final = "Local rank 0."

# All CPUs added up. The Collector's `hostmetrics` receiver has `system.cpu.time` too, with `state` for `cpu.mode`.
SYSTEM_CPU_TIME: Final = resource_metric(
    "system.cpu.time", "counter", "s", "CPU time of all CPUs of the host.", f"By `cpu.mode`. {_HOST}"
)
SYSTEM_PAGING_OPERATIONS: Final = resource_metric(
    "system.paging.operations",
    "counter",
    "{operation}",
    "Pages that the host moved in from swap and out to it.",
    f"By `system.paging.direction`. {_HOST}",
)
