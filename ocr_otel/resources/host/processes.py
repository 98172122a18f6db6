"""CPU time, memory, threads, files and I/O of the training process, of each of its workers and of what else it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Final, NamedTuple

from ocr_otel import semconv
from ocr_otel.resources.host import limits
from ocr_otel.resources.host.attribution import Account, Key, Tracked, settle
from ocr_otel.resources.host.census import UNKNOWN_SECONDS, Census
from ocr_otel.resources.host.counts import GROWING, unique_memory
from ocr_otel.resources.host.reading import MIN_INTERVAL
from ocr_otel.resources.readings import Reading, Series, Unavailable, series
from ocr_otel.semconv import ProcessRole

LIMITS_EVERY: Final = 30
"""Readings between looks at what the process may use."""
UNIQUE_EVERY: Final = 4
"""Readings between two processes' unique memory."""
UNIQUE_SECONDS: Final = 60.0
"""Seconds between two readings of one process's unique memory."""
UNIQUE_SHARE: Final = 1 / 2000
"""Share of the time that these may take, for they walk all pages: where one takes 100 ms, they are 200 s apart."""
MIN_REQUESTED: Final = 1 << 20
"""Bytes read since the last reading below which nothing is said about caches: workers read their pipes too."""

_DIRECTION: Final = "disk.io.direction"
_GROWING: Final = (
    (semconv.PROCESS_CPU_TIME, "cpu.mode", "user"),
    (semconv.PROCESS_CPU_TIME, "cpu.mode", "system"),
    (semconv.PROCESS_CONTEXT_SWITCHES, "process.context_switch.type", "voluntary"),
    (semconv.PROCESS_CONTEXT_SWITCHES, "process.context_switch.type", "involuntary"),
    (semconv.PROCESS_PAGING_FAULTS, "system.paging.fault.type", "minor"),
    (semconv.PROCESS_PAGING_FAULTS, "system.paging.fault.type", "major"),
    (semconv.PROCESS_DISK_IO, _DIRECTION, "read"),
    (semconv.PROCESS_DISK_IO, _DIRECTION, "write"),
    (semconv.IO_REQUESTED, _DIRECTION, "read"),
    (semconv.IO_REQUESTED, _DIRECTION, "write"),
    (semconv.IO_OPERATIONS, _DIRECTION, "read"),
    (semconv.IO_OPERATIONS, _DIRECTION, "write"),
)
"""What each of `Counts.growing` is called."""
_NOTHING: Final = [0.0] * len(_GROWING)
_USER, _SYSTEM = 0, 1
_DEVICE_READ = GROWING
_REQUESTED_READ, _REQUESTED_WRITE = GROWING + 2, GROWING + 3
_READS, _WRITES = GROWING + 4, GROWING + 5

_CPU_LIMIT: Final = series(semconv.PROCESS_CPU_LIMIT)
_MEMORY_LIMIT: Final = series(semconv.PROCESS_MEMORY_LIMIT)
_COUNTS: Final = {role: series(semconv.PROCESS_COUNT, training_process_role=str(role)) for role in ProcessRole}


class _Names(NamedTuple):
    """The series of one key, made once: there are a dozen and more of each worker."""

    growing: tuple[Series, ...]
    cpu: Series
    memory: Series
    unique: Series
    threads: Series
    files: Series
    read_size: Series
    write_size: Series
    cached: Series


class ProcessSource:
    """Reads the training process and those below it.

    What a process did between its last reading and its end is lost, but for its I/O: the kernel adds that to the
    process that waited for it, and there, as `main` for a worker, it is counted.

    Args:
        workers: Returns worker ids by pid, of all workers known so far, those that have ended included.
        proc: Where procfs is.
        unknown_seconds: How long a new process may turn out to be a worker.
    """

    name = "processes"

    def __init__(
        self, workers: Callable[[], Mapping[int, int]], proc: str = "/proc", unknown_seconds: float = UNKNOWN_SECONDS
    ) -> None:
        self._proc = proc
        self._census = Census(workers, proc, unknown_seconds)
        self._accounts: dict[Key, Account] = {}
        self._names: dict[Key, _Names] = {}
        self._begun: set[Key] = set()
        self._readings = 0
        self._last = 0.0
        self._cpus = 1.0
        self._memory: int | None = None

    def open(self) -> None:
        """Read what there is already; it is counted from here on.

        Raises:
            Unavailable: There is no procfs.
        """
        if not self._census.begin():
            raise Unavailable(f"{self._proc} does not show this process")
        self._find_limits()
        self._last = monotonic()

    def read(self) -> Iterator[Reading]:
        """Yield the counters of all roles and workers so far, and the gauges of those that run."""
        now = monotonic()
        elapsed, self._last = now - self._last, now
        self._census.take(now)
        settle(self._census.living, self._census.ended, self._accounts)
        self._readings += 1
        if self._readings % LIMITS_EVERY == 0:
            self._find_limits()
        if self._readings % UNIQUE_EVERY == 0:
            self._read_unique(now)
        yield _CPU_LIMIT, self._cpus
        if self._memory is not None:
            yield _MEMORY_LIMIT, self._memory
        for key, account in self._accounts.items():
            # A series begins at 0: what reads it looks at its growth, and would miss what was there at first.
            totals = account.totals if key in self._begun else _NOTHING
            yield from zip(self._names_of(key).growing, totals if account.has_io else totals[:GROWING], strict=False)
        self._begun.update(self._accounts)
        running = self._running()
        for key, processes in running.items():
            yield from self._gauges(self._names_of(key), processes, elapsed)
        for role in {key.role for key in self._accounts}:
            yield _COUNTS[role], sum(len(processes) for key, processes in running.items() if key.role is role)

    def close(self) -> None:
        """Nothing is held."""

    def _running(self) -> dict[Key, list[Tracked]]:
        found: dict[Key, list[Tracked]] = {}
        for each in self._census.living.values():
            if each.key is not None and not each.other_rank and not each.counts.ended:
                found.setdefault(each.key, []).append(each)
        return found

    def _gauges(self, names: _Names, processes: list[Tracked], elapsed: float) -> Iterator[Reading]:
        yield names.memory, sum(each.counts.resident for each in processes)
        yield names.threads, sum(each.counts.threads for each in processes)
        files = [each.counts.files for each in processes if each.counts.files is not None]
        if files:
            yield names.files, sum(files)
        unique = [each.unique for each in processes if each.unique is not None]
        if len(unique) == len(processes):
            yield names.unique, sum(unique)
        steps = [each.step for each in processes if not each.fresh]
        if not steps or elapsed < MIN_INTERVAL:
            return
        step = [sum(column) for column in zip(*steps, strict=True)] if len(steps) > 1 else steps[0]
        yield names.cpu, (step[_USER] + step[_SYSTEM]) / elapsed / self._cpus
        if step[_READS]:
            yield names.read_size, step[_REQUESTED_READ] / step[_READS]
        if step[_WRITES]:
            yield names.write_size, step[_REQUESTED_WRITE] / step[_WRITES]
        if step[_REQUESTED_READ] >= MIN_REQUESTED:
            yield names.cached, max(0.0, 1 - step[_DEVICE_READ] / step[_REQUESTED_READ])

    def _find_limits(self) -> None:
        self._cpus, self._memory = limits.cpus(self._proc), limits.memory(self._proc)

    def _read_unique(self, now: float) -> None:
        due = [
            each
            for each in self._census.living.values()
            if each.key is not None and each.key.role is ProcessRole.WORKER and each.unique_due <= now
        ]
        if not due:
            return
        each = min(due, key=lambda each: each.unique_due)
        began = monotonic()
        each.unique = unique_memory(each.pid, self._proc)
        took = monotonic() - began
        each.unique_due = now + max(UNIQUE_SECONDS, took / UNIQUE_SHARE)

    def _names_of(self, key: Key) -> _Names:
        names = self._names.get(key)
        if names is None:
            names = self._names[key] = _names(key)
        return names


def _names(key: Key) -> _Names:
    whose: list[tuple[str, str | int]] = [(semconv.PROCESS_ROLE, str(key.role))]
    if key.worker is not None:
        whose.append((semconv.WORKER_ID, key.worker))

    def named(metric: str, *attributes: tuple[str, str | int]) -> Series:
        return Series(metric, tuple(sorted((*whose, *attributes))))

    return _Names(
        growing=tuple(named(metric, (attribute, value)) for metric, attribute, value in _GROWING),
        cpu=named(semconv.PROCESS_CPU),
        memory=named(semconv.PROCESS_MEMORY),
        unique=named(semconv.PROCESS_MEMORY_UNIQUE),
        threads=named(semconv.PROCESS_THREADS),
        files=named(semconv.PROCESS_OPEN_FILES),
        read_size=named(semconv.IO_REQUEST_SIZE, (_DIRECTION, "read")),
        write_size=named(semconv.IO_REQUEST_SIZE, (_DIRECTION, "write")),
        cached=named(semconv.IO_CACHED),
    )
