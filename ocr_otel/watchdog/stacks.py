"""Python stacks of a training process and of its dataloader workers, without tracing them.

The training has let `faulthandler` take a signal (`stack_signal`), and its forked workers inherit that. A thread
that gets the signal writes its own stack into a file, also while it holds the interpreter's lock in a call that never
returns. Each thread is asked alone: a handler that reads the frames of other threads may crash a process that is busy
(python/cpython#116008).
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ocr_otel.watchdog import dumps, threads
from ocr_otel.watchdog.dumps import Process, Thread

MAX_PROCESSES: Final = 64
MAX_THREADS: Final = 32
"""Of one process."""
DEADLINE: Final = 2.0
"""Seconds in which the first thread of a process is to answer."""
_OTHERS_DEADLINE: Final = 0.5
"""Seconds for each other one."""
_LONGEST: Final = 20.0
"""Seconds for all; processes that are left are named alone."""
_POLL: Final = 0.002
_MAX_DUMP: Final = 1_000_000
_PYTHONS: Final = ("pt_data_pin", "Thread-", "ThreadPoolExec")
"""How names of other Python threads begin: PyTorch's one that pins memory, and Python's own from 3.14 on."""
_NOT_ASKED: Final = "not asked for its stack"


class Stacks(NamedTuple):
    """What was found.

    Attributes:
        text: The stacks; empty where there is nothing.
        line: Innermost line of the thread that trains; empty where it did not tell it.
    """

    text: str
    line: str


def collect(pid: int, start_ticks: int, path: Path) -> Stacks:
    """Ask a training process and its workers for their stacks.

    Args:
        pid: The process.
        start_ticks: When it began: who has its number later is not asked.
        path: The file that its `faulthandler` writes into.

    Returns:
        The stacks of those that answer; the others with what the kernel tells of them.
    """
    found = threads.stat(pid)
    if found is None or found.start_ticks != start_ticks:
        return Stacks("", "")
    collector = _Collector(path)
    try:
        processes = list(collector.processes(found))
    finally:
        collector.close()
    first = processes[0].threads[:1]
    return Stacks(dumps.render(processes), first[0].frames[0] if first and first[0].frames else "")


class _Collector:
    def __init__(self, path: Path) -> None:
        self._until = time.monotonic() + _LONGEST
        self._signal = self._trains = 0
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            self._file = -1
            return
        self._status = os.fstat(self._file)
        # As `stack_signal` writes it.
        if first := re.match(rb"signal (\d{1,2}) thread (\d{1,9})\n", os.pread(self._file, 100, 0)):
            self._signal, self._trains = int(first[1]), int(first[2])
            os.ftruncate(self._file, first.end())

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)

    def processes(self, training: threads.Stat) -> Iterator[Process]:
        """Yield the training process and what it has started, as far as they share its file."""
        children = threads.children()
        yield self._process("training process", training, self._may_ask(training))
        queue = list(children.get(training.pid, ()))
        for count, process in enumerate(queue, 1):
            if count == MAX_PROCESSES:
                return
            shares = self._may_ask(process)
            yield self._process("worker" if shares else "process", process, shares)
            # Other ranks are children of the first one: they have watchdogs of their own, and their workers are theirs.
            queue += children.get(process.pid, ()) if shares else ()

    def _may_ask(self, process: threads.Stat) -> bool:
        """Whether a process takes the signal as our handler does: it would be killed by it otherwise."""
        if not signal.SIGRTMIN <= self._signal <= signal.SIGRTMAX or process.stopped:
            return False
        caught = threads.signals(process.pid).get("SigCgt", 0) >> (self._signal - 1) & 1
        return bool(caught) and threads.has_open(process.pid, self._status) and threads.stat_of(process) is not None

    def _process(self, kind: str, process: threads.Stat, ask: bool) -> Process:
        waits = threads.waits(process.pid, process.pid)
        if not ask:
            return Process(kind, process.pid, note=f"{process.name}: no Python stack ({waits})")
        found: list[Thread] = []
        left_out = 0
        for number in self._threads(process)[:MAX_THREADS]:
            name = "main thread" if number == process.pid else f"thread {len(found) + 1}"
            name = "thread that trains" if number == self._trains != process.pid else name
            waits = threads.waits(process.pid, number)
            main = not found and not left_out
            dump = self._ask(process, number, DEADLINE if main else _OTHERS_DEADLINE)
            if dump is None:
                found.append(Thread(f"{name}, {_NOT_ASKED}", waits, ()))
            elif main or (dump and not dumps.is_telemetry(dump)):
                answered = name if dump else f"{name}, no answer"
                found.append(Thread(answered, waits, dumps.frames(dump)))
            else:
                left_out += bool(dump)
        note = f"{left_out} thread{'s' if left_out > 1 else ''} of telemetry left out" if left_out else ""
        return Process(kind, process.pid, tuple(found), note)

    def _threads(self, process: threads.Stat) -> list[int]:
        """Return the threads to ask: the one that trains first, then those that Python may have started.

        Native libraries name their threads; one of Python has the name of the thread that started it. Those have no
        Python stack, and a signal would only wake them.
        """
        found = [self._trains]
        for number in threads.threads(process.pid):
            name = seen.name if (seen := threads.stat(process.pid, number)) else ""
            if name == process.name or name.startswith(_PYTHONS):
                found.append(number)
        return list(dict.fromkeys(found if self._trains in found[1:] else found[1:]))

    def _ask(self, process: threads.Stat, number: int, deadline: float) -> str | None:
        """Return what a thread writes: nothing where it has no Python stack or does not answer; None if not asked."""
        mask = 1 << (self._signal - 1)
        before = threads.signals(process.pid, number)
        if before.get("SigBlk", mask) & mask or before.get("SigPnd", mask) & mask or time.monotonic() > self._until:
            return None
        offset = os.fstat(self._file).st_size
        # Looked at again at the last moment: the number may be another process's by now.
        if threads.stat_of(process) is None or not _send(process.pid, number, self._signal):
            return None
        until = min(time.monotonic() + deadline, self._until)
        calm = 0
        while time.monotonic() < until and calm < 2:
            time.sleep(_POLL)
            now = threads.signals(process.pid, number)
            if not now:
                break
            # It waits until the thread takes it, and is blocked in the thread as long as the handler runs.
            calm = 0 if (now["SigPnd"] | now["SigBlk"]) & mask else calm + 1
        size = os.fstat(self._file).st_size
        return os.pread(self._file, min(size - offset, _MAX_DUMP), offset).decode(errors="replace")


def _send(pid: int, thread: int, number: int) -> bool:
    """Send a signal to one thread; return whether that went well."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        return bool(libc.tgkill(pid, thread, number) == 0)
    except AttributeError:
        # A C library without it: the kernel gives what a process gets to its main thread, if that does not block it.
        if thread != pid:
            return False
        os.kill(pid, number)
        return True
