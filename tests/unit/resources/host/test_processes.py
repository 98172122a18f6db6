"""What each process does is counted once, and as its own, while workers come and go. With real processes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.resources.host import host_sources
from ocr_otel.resources.host.processes import ProcessSource
from ocr_otel.resources.readings import Series, Unavailable
from tests.unit.resources.host.workers import Worker, read_whole

pytestmark = pytest.mark.timeout(60)

MB = 1_000_000
FILE_SIZE = 100 * MB
PAUSE = 0.15
"""Seconds between readings that rates are taken of."""


class Reader:
    """Reads a source and remembers the last reading."""

    def __init__(self, workers: dict[int, int], unknown_seconds: float = 30.0, proc: str = "/proc") -> None:
        self.workers = workers
        self.source = ProcessSource(lambda: self.workers, proc, unknown_seconds)
        self.source.open()
        self.found: dict[Series, float] = {}

    def read(self) -> Reader:
        self.found = dict(self.source.read())
        return self

    def value(self, metric: str, role: str = "main", worker: int | None = None, **more: str) -> float | None:
        wanted = {semconv.PROCESS_ROLE: role, **{name.replace("_", "."): value for name, value in more.items()}}
        if worker is not None:
            wanted[semconv.WORKER_ID] = worker
        return self.found.get(Series(metric, tuple(sorted(wanted.items()))))

    def requested(self, role: str = "main", worker: int | None = None) -> float:
        return self.value(semconv.IO_REQUESTED, role, worker, disk_io_direction="read") or 0.0

    def from_disk(self, role: str = "main", worker: int | None = None) -> float:
        return self.value(semconv.PROCESS_DISK_IO, role, worker, disk_io_direction="read") or 0.0


@pytest.fixture
def cold(on_disk: Path) -> Iterator[Path]:
    """A file of 100 MB that is on the disk and not in memory."""
    path = on_disk / "data"
    block = os.urandom(MB)
    with path.open("wb") as file:
        for _ in range(FILE_SIZE // MB):
            file.write(block)
    evict(path)
    yield path
    path.unlink()


def evict(path: Path) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def test_a_worker_reads_100_mb_and_its_sibling_none(cold: Path) -> None:
    with Worker() as one, Worker() as two:
        reader = Reader({one.pid: 0, two.pid: 1})
        reader.read()
        read_whole(one, cold)
        reader.read()
        assert reader.requested("worker", 0) == pytest.approx(FILE_SIZE, rel=0.02)
        assert reader.from_disk("worker", 0) == pytest.approx(FILE_SIZE, rel=0.02)
        assert reader.requested("worker", 1) < 0.02 * FILE_SIZE
        assert reader.from_disk("worker", 1) < 0.02 * FILE_SIZE
        assert reader.requested() < 0.02 * FILE_SIZE


def test_what_a_worker_read_is_not_counted_again_when_it_has_ended(cold: Path) -> None:
    with ExitStack() as stack:
        worker = stack.enter_context(Worker())
        reader = Reader({worker.pid: 0})
        read_whole(worker, cold)
        reader.read()
        before = io_of_main()
        worker.end()
        # The kernel has added it to this process.
        assert io_of_main() - before == pytest.approx(FILE_SIZE, rel=0.02)
        for _ in range(3):
            reader.read()
            assert reader.requested() < 0.02 * FILE_SIZE
            assert reader.requested("worker", 0) == pytest.approx(FILE_SIZE, rel=0.02)


def io_of_main() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def test_reads_move_from_the_disk_to_the_page_cache(cold: Path) -> None:
    with Worker() as worker:
        reader = Reader({worker.pid: 0})
        reader.read()
        for warm in (False, True):
            time.sleep(PAUSE)
            read_whole(worker, cold)
            share = reader.read().value(semconv.IO_CACHED, "worker", 0)
            assert share is not None
            assert share > 0.9 if warm else share < 0.1
        size = reader.value(semconv.IO_REQUEST_SIZE, "worker", 0, disk_io_direction="read")
        assert size == pytest.approx(1 << 17, rel=0.05)
        time.sleep(PAUSE)
        assert reader.read().value(semconv.IO_CACHED, "worker", 0) is None


def test_counters_of_a_worker_id_go_on_through_its_processes(on_disk: Path) -> None:
    path = on_disk / "data"
    path.write_bytes(os.urandom(10 * MB))
    reader = Reader({})
    counters: dict[Series, float] = {}

    def look() -> None:
        reader.read()
        for series, value in reader.found.items():
            if kind_of(series) == "counter":
                assert value >= counters.get(series, 0.0), series
        # None that was there is missing now.
        assert counters.keys() <= reader.found.keys()
        counters.update((each, reader.found[each]) for each in reader.found if kind_of(each) == "counter")

    for epoch in range(3):
        with Worker() as one, Worker() as two:
            reader.workers |= {one.pid: 0, two.pid: 1}
            look()
            for worker in (one, one, two):
                read_whole(worker, path)
            look()
            assert reader.value(semconv.PROCESS_MEMORY, "worker", 0) is not None
        look()
        assert reader.value(semconv.PROCESS_MEMORY, "worker", 0) is None
        assert reader.requested("worker", 0) == pytest.approx(20 * MB * (epoch + 1), rel=0.02)
        assert reader.requested("worker", 1) == pytest.approx(10 * MB * (epoch + 1), rel=0.04)
    assert reader.requested() < 2 * MB


def kind_of(series: Series) -> str:
    return semconv.RESOURCE_METRICS[series.metric].kind


def test_a_worker_that_is_known_late_has_all_it_read(on_disk: Path) -> None:
    path = on_disk / "data"
    path.write_bytes(os.urandom(10 * MB))
    reader = Reader({})
    with Worker() as worker:
        reader.read()
        read_whole(worker, path)
        reader.read()
        assert reader.requested("worker", 3) == 0
        reader.workers[worker.pid] = 3
        reader.read()
        # So that the growth of the series has it all.
        assert reader.value(semconv.IO_REQUESTED, "worker", 3, disk_io_direction="read") == 0
        assert reader.read().requested("worker", 3) == pytest.approx(10 * MB, rel=0.02)
        assert reader.requested("other") == 0


def test_what_is_no_worker_is_other_and_another_rank_is_neither(on_disk: Path) -> None:
    path = on_disk / "data"
    path.write_bytes(os.urandom(10 * MB))
    reader = Reader({}, unknown_seconds=0.0)
    with Worker() as compiler, Worker({**os.environ, "LOCAL_RANK": "1"}) as rank:
        for _ in range(3):
            reader.read()
        read_whole(compiler, path)
        read_whole(rank, path)
        read_whole(rank, path)
        assert reader.read().requested("other") == pytest.approx(10 * MB, rel=0.04)
        assert reader.value(semconv.PROCESS_COUNT, "other") == 1
    for _ in range(3):
        reader.read()
    assert reader.requested("other") == pytest.approx(10 * MB, rel=0.04)
    assert reader.requested() < MB


def test_a_rank_that_ends_early_was_a_rank_all_the_same(on_disk: Path) -> None:
    path = on_disk / "data"
    path.write_bytes(os.urandom(10 * MB))
    reader = Reader({})
    with Worker({**os.environ, "LOCAL_RANK": "1"}) as rank:
        read_whole(rank, path)
        reader.read()
    for _ in range(3):
        reader.read()
    assert reader.requested("other") == 0
    assert reader.requested() < MB


def test_an_ended_worker_that_nobody_waited_for_has_counters_and_no_memory(on_disk: Path) -> None:
    path = on_disk / "data"
    path.write_bytes(os.urandom(10 * MB))
    with Worker() as worker:
        reader = Reader({worker.pid: 0})
        read_whole(worker, path)
        worker.end(wait=False)
        end_of(worker.pid)
        reader.read()
        reader.read()
        assert reader.requested("worker", 0) == pytest.approx(10 * MB, rel=0.02)
        assert reader.value(semconv.PROCESS_MEMORY, "worker", 0) is None
        assert reader.value(semconv.PROCESS_COUNT, "worker") == 0


def end_of(pid: int) -> None:
    for _ in range(500):
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.01)
    raise AssertionError("the worker has not ended")


def test_cpu_time_is_that_of_the_one_who_works() -> None:
    with Worker() as busy, Worker() as idle:
        reader = Reader({busy.pid: 0, idle.pid: 1})
        reader.read()
        began = time.monotonic()
        busy.do("spin 0.5")
        reader.read()
        elapsed = time.monotonic() - began
        user = reader.value(semconv.PROCESS_CPU_TIME, "worker", 0, cpu_mode="user")
        system = reader.value(semconv.PROCESS_CPU_TIME, "worker", 0, cpu_mode="system")
        assert user is not None
        assert system is not None
        assert user + system == pytest.approx(0.5, abs=0.05)
        share = reader.value(semconv.PROCESS_CPU, "worker", 0)
        cpus = reader.found[Series(semconv.PROCESS_CPU_LIMIT)]
        assert share == pytest.approx(0.5 / elapsed / cpus, rel=0.2)
        assert reader.value(semconv.PROCESS_CPU, "worker", 1) == pytest.approx(0, abs=0.03)


def test_workers_without_series_of_their_own_are_one() -> None:
    with Worker() as one, Worker() as two, Worker() as three:
        reader = Reader({one.pid: 63, two.pid: 64, three.pid: 1000})
        reader.read()
        together = reader.value(semconv.PROCESS_THREADS, "worker")
        assert together == 2
        assert reader.value(semconv.PROCESS_THREADS, "worker", 63) == 1
        assert reader.value(semconv.PROCESS_THREADS, "worker", 64) is None
        assert reader.value(semconv.PROCESS_COUNT, "worker") == 3


def test_open_files_and_memory_of_this_process_are_what_the_kernel_says() -> None:
    reader = Reader({}).read()
    assert reader.value(semconv.PROCESS_OPEN_FILES) == pytest.approx(len(os.listdir("/proc/self/fd")), abs=2)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert reader.value(semconv.PROCESS_MEMORY) == pytest.approx(resident, rel=0.05)


def test_unique_memory_of_workers_is_less_than_their_resident_memory() -> None:
    with Worker() as worker:
        reader = Reader({worker.pid: 0})
        unique = None
        for _ in range(8):
            unique = reader.read().value(semconv.PROCESS_MEMORY_UNIQUE, "worker", 0)
        resident = reader.value(semconv.PROCESS_MEMORY, "worker", 0)
        assert unique is not None
        assert resident is not None
        assert 0 < unique < resident


def test_a_second_opening_goes_on_counting(on_disk: Path) -> None:
    path = on_disk / "data"
    path.write_bytes(os.urandom(10 * MB))
    with Worker() as worker:
        reader = Reader({worker.pid: 0})
        read_whole(worker, path)
        reader.read()
        reader.source.close()
        reader.source.open()
        assert reader.read().requested("worker", 0) == pytest.approx(10 * MB, rel=0.02)


def fake(proc: Path, pid: int, started: int, read: int | None, parent: int = 1) -> None:
    directory = proc / str(pid)
    (directory / "fd").mkdir(parents=True, exist_ok=True)
    words = ["S", str(parent), *["0"] * 15, "1", "0", str(started), "0", "100"]
    (directory / "stat").write_text(f"{pid} (a) b) {' '.join(words)}\n")
    (directory / "status").write_text("Name:\ta\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t6\n")
    if read is not None:
        names = ("rchar", "wchar", "syscr", "syscw", "read_bytes", "write_bytes", "cancelled_write_bytes")
        (directory / "io").write_text("".join(f"{name}: {read}\n" for name in names))


def test_another_process_with_the_pid_of_a_worker_is_not_the_worker(tmp_path: Path) -> None:
    pid = os.getpid()
    fake(tmp_path, pid, 10, 0)
    children = tmp_path / str(pid) / "task" / str(pid) / "children"
    children.parent.mkdir(parents=True)
    children.write_text("4242 ")
    fake(tmp_path, 4242, 20, 1000, pid)
    reader = Reader({4242: 0}, 0.0, str(tmp_path)).read()
    fake(tmp_path, 4242, 20, 1500, pid)
    assert reader.read().requested("worker", 0) == 500
    fake(tmp_path, 4242, 99, 70_000, pid)
    reader.read()
    reader.read()
    assert reader.requested("worker", 0) == 500
    assert reader.requested("other") == 70_000


def test_without_io_the_rest_is_there_and_no_zero_for_it(tmp_path: Path) -> None:
    pid = os.getpid()
    fake(tmp_path, pid, 10, None)
    reader = Reader({}, 0.0, str(tmp_path)).read()
    metrics = {each.metric for each in reader.found}
    assert semconv.PROCESS_CPU_TIME in metrics
    assert not metrics & {semconv.PROCESS_DISK_IO, semconv.IO_REQUESTED, semconv.IO_OPERATIONS, semconv.IO_CACHED}


def test_a_hidden_procfs_has_a_reason(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not show this process"):
        ProcessSource(dict, str(tmp_path)).open()


def test_a_reading_with_16_workers_is_cheap() -> None:
    with ExitStack() as stack:
        workers = {stack.enter_context(Worker()).pid: number for number in range(16)}
        sources = host_sources(lambda: workers, lambda: [Path.cwd()])
        for source in sources:
            source.open()
        costs = []
        for _ in range(40):
            began = time.thread_time()
            found = [reading for source in sources for reading in source.read()]
            costs.append(time.thread_time() - began)
        ids = {dict(each.attributes).get(semconv.WORKER_ID) for each, _ in found}
        assert set(range(16)) <= ids
        # What others do on the machine at the same time is not its cost.
        assert sorted(costs)[len(costs) // 4] < 0.004
