"""A process that does what a training does to the numbers it shares, and then hangs, or does not.

`hang_training.py DIRECTORY HANG_AFTER VARIANT`: it is watched by `hang_watch.py`. Nothing here imports what the
watchdog is made of but what a training uses of it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from ocr_otel.semconv import Section, Stage
from ocr_otel.watchdog import journal, stack_signal
from ocr_otel.watchdog.cells import Cell, Cells

DIRECTORY, HANG_AFTER, VARIANT = Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
CELLS = Cells()
VALUES = CELLS.values
WARM_BATCHES = 5


def watched(thread: int | None = None) -> None:
    """Start what watches this process."""
    start_ticks = int(Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
    place = DIRECTORY / ".watchdog" / f"{os.getpid()}-{start_ticks}"
    place.mkdir(parents=True, mode=0o700)
    header = {
        "pid": os.getpid(),
        "start_ticks": start_ticks,
        "directory": str(DIRECTORY),
        "target": "files",
        "hang_after": HANG_AFTER,
        "started_unix_nano": time.time_ns(),
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hangs"}}]},
        "scope": {"name": "ocr_otel"},
    }
    writer = journal.JournalWriter(place / journal.JOURNAL_FILE, header)
    writer.note({"traceId": "1" * 32, "spanId": "2" * 16, "name": "train_epoch", "startTimeUnixNano": "1"})
    assert stack_signal.register(place / journal.STACKS_FILE, thread)
    watch = [sys.executable, "-I", "-S", str(Path(__file__).with_name("hang_watch.py")), str(place), str(CELLS.file)]
    subprocess.Popen(watch, pass_fds=[CELLS.file], start_new_session=True)


def section(which: Section) -> None:
    """Begin a section."""
    VALUES[Cell.BATCH_BEGAN] = VALUES[Cell.LONGEST_BATCH] = 0
    VALUES[Cell.STAGE] = list(Stage).index(Stage.TRAIN if which is Section.TRAIN else Stage.VALIDATE)
    VALUES[Cell.LOOP] += 1
    VALUES[Cell.EPOCH] = 3
    VALUES[Cell.SECTION_BEGAN] = time.perf_counter_ns()
    VALUES[Cell.SECTION] = list(Section).index(which)


def batch(index: int, work: Callable[[], object]) -> None:
    """Do one batch."""
    began = time.perf_counter_ns()
    VALUES[Cell.BATCH_IDX] = index
    VALUES[Cell.BATCH_BEGAN] = began
    work()
    VALUES[Cell.LONGEST_BATCH] = max(VALUES[Cell.LONGEST_BATCH], time.perf_counter_ns() - began)
    VALUES[Cell.BATCH_BEGAN] = 0


def warm_up() -> None:
    """Show a few batches, so that the watch knows what one takes."""
    section(Section.TRAIN)
    for index in range(WARM_BATCHES):
        batch(index, lambda: time.sleep(HANG_AFTER / 4))


def deadlock() -> None:
    """Wait for a lock that this thread has."""
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()  # planted: dead lock


def hold_the_interpreter() -> None:
    """Wait for a mutex of C that this thread has, and for which it holds the interpreter's lock meanwhile."""
    library = ctypes.PyDLL(None)
    mutex = ctypes.create_string_buffer(256)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)  # planted: GIL held


class Items:
    """A dataset whose eighth item never comes."""

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> int:
        time.sleep(HANG_AFTER / 8)
        if index == 8:
            deadlock()
        return index


def from_workers(start_method: str) -> None:
    """Train on items of a dataloader's workers."""
    from torch.utils.data import DataLoader

    items = iter(DataLoader(Items(), batch_size=2, num_workers=2, multiprocessing_context=start_method))
    # Spawned ones take seconds to start.
    next(items)
    section(Section.TRAIN)
    for index in range(50):
        batch(index, lambda: next(items))


def collective(rank: int) -> None:
    """Reduce with another process, which does not come for the last one."""
    import torch
    import torch.distributed as distributed

    meeting = DIRECTORY.parent / "meeting"
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    section(Section.TRAIN)
    for index in range(100):
        time.sleep(HANG_AFTER / 8)
        if rank == 1 and index == WARM_BATCHES:
            deadlock()
        batch(index, lambda: distributed.all_reduce(torch.ones(1)))


def growing() -> None:
    """Batches that double again and again, after a first one of several times the bound, and a slow validation."""
    section(Section.SETUP)
    time.sleep(1.5 * HANG_AFTER)
    section(Section.TRAIN)
    batch(0, lambda: time.sleep(3 * HANG_AFTER))
    for index in range(1, 7):
        duration = HANG_AFTER / 16 * 2**index
        batch(index, lambda duration=duration: time.sleep(duration))
    section(Section.EVALUATE)
    batch(0, lambda: time.sleep(3 * HANG_AFTER))
    section(Section.CHECKPOINT)
    time.sleep(2 * HANG_AFTER)
    VALUES[Cell.SECTION] = -1
    time.sleep(8 * HANG_AFTER)


def goes_on() -> None:
    """Train until told otherwise."""
    warm_up()
    print("trains", flush=True)
    for index in range(WARM_BATCHES, 100_000):
        batch(index, lambda: time.sleep(HANG_AFTER / 20))


def in_a_thread() -> None:
    """Train in another thread than the main one."""

    def work() -> None:
        watched(threading.get_native_id())
        warm_up()
        batch(WARM_BATCHES, deadlock)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def main() -> None:
    """Train and hang."""
    if VARIANT == "thread":
        in_a_thread()
        return
    if VARIANT != "absent":
        watched()
    match VARIANT:
        case "deadlock":
            with subprocess.Popen(["sleep", "60"]) as child:
                print(child.pid, flush=True)
                warm_up()
                batch(WARM_BATCHES, deadlock)
        case "gil":
            warm_up()
            batch(WARM_BATCHES, hold_the_interpreter)
        case "fork" | "spawn":
            from_workers(VARIANT)
        case "collective" | "absent":
            collective(0 if VARIANT == "collective" else 1)
        case "growing":
            growing()
        case "goes-on":
            goes_on()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    main()
