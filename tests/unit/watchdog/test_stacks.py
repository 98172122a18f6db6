"""Stacks of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ocr_otel.watchdog import stacks, threads

TRAINING = """
import os, subprocess, sys, threading, time
from pathlib import Path
from ocr_otel.watchdog import stack_signal

def waits():
    print(flush=True)
    threading.Event().wait()

def helper():
    threading.Event().wait()

assert stack_signal.register(Path(sys.argv[1]))
"""

Start = Callable[[str], threads.Stat]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stacks"


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """Start a script; it is returned when it has said that it waits."""
    started: list[subprocess.Popen[str]] = []

    def begin(script: str) -> threads.Stat:
        command = [sys.executable, "-c", TRAINING + script, str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "\n"
        until = time.monotonic() + 20
        while threads.waits(process.pid, process.pid) in ("", "state R"):
            assert time.monotonic() < until
            time.sleep(0.005)
        found = threads.stat(process.pid)
        assert found is not None
        return found

    yield begin
    for process in started:
        assert process.poll() is None, "it was killed"
        os.killpg(process.pid, 9)
        process.communicate()


def collect(process: threads.Stat, path: Path) -> stacks.Stacks:
    return stacks.collect(process.pid, process.start_ticks, path)


def test_all_threads_of_python_tell_their_stacks(start: Start, path: Path) -> None:
    process = start("threading.Thread(target=helper, daemon=True).start()\nwaits()")
    found = collect(process, path)
    if "main thread (state S)" in found.text:
        # It had just come back from its handler, and the kernel did not know yet what it sleeps in.
        found = collect(process, path)
    assert found.line.startswith("threading.py:")
    assert found.text.startswith(f"training process {process.pid}:\n  main thread (state S, in ")
    assert found.text.index("in waits") < found.text.index("thread 2 (") < found.text.index("in helper")


def test_it_can_be_asked_again_and_the_file_does_not_grow(start: Start, path: Path) -> None:
    process = start("waits()")
    first = collect(process, path)
    size = path.stat().st_size
    assert [collect(process, path) for _ in range(5)] == [first] * 5
    assert path.stat().st_size == size


def test_somebody_else_who_has_the_number_is_not_asked(start: Start, path: Path) -> None:
    process = start("waits()")
    assert stacks.collect(process.pid, process.start_ticks + 1, path) == ("", "")
    assert path.read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize("content", ["", "signal 9 thread 1\n", "signal 99 thread 1\n", "signal\n", "\0" * 4096])
def test_a_file_that_says_something_else_asks_nobody(start: Start, path: Path, content: str) -> None:
    process = start("waits()")
    path.write_text(content, encoding="utf-8")
    found = collect(process, path)
    assert found.line == ""
    assert found.text.startswith(f"training process {process.pid}:\n  python")
    assert "no Python stack (state S, in " in found.text


def test_a_process_without_the_file_is_named_and_not_asked(start: Start, path: Path) -> None:
    process = start("waits()")
    path.rename(path.with_name("elsewhere"))
    assert "no Python stack" in collect(process, path).text
    path.write_text("signal 43 thread 1\n", encoding="utf-8")
    assert "no Python stack" in collect(process, path).text


def test_a_process_that_gave_the_signal_back_is_not_killed_by_it(start: Start, path: Path) -> None:
    process = start("import signal\nnumber = stack_signal._taken[0]\nsignal.signal(number, signal.SIG_DFL)\nwaits()")
    assert "no Python stack" in collect(process, path).text


def test_forked_children_tell_theirs_and_others_are_named(start: Start, path: Path) -> None:
    script = """
read, write = os.pipe()
def in_child():
    os.write(write, b"x")
    threading.Event().wait()
for _ in range(3):
    if not os.fork():
        in_child()
subprocess.Popen(["sleep", "60"])
received = b""
while len(received) < 3:
    received += os.read(read, 3)
waits()
"""
    text = collect(start(script), path).text
    # Those that wait at the same line are told together; the moment may differ by a call.
    assert text.count("worker") >= 1
    assert "in in_child" in text
    assert "sleep: no Python stack (state S, in " in text


def test_a_thread_that_blocks_the_signal_is_left_alone(start: Start, path: Path) -> None:
    process = start("import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwaits()")
    assert "main thread, not asked for its stack (state S" in collect(process, path).text


def test_threads_of_telemetry_are_left_out(start: Start, path: Path, tmp_path: Path) -> None:
    package = tmp_path / "opentelemetry" / "sdk"
    package.mkdir(parents=True)
    package.joinpath("work.py").write_text("import threading\ndef export():\n    threading.Event().wait()\n")
    script = f"""
sys.path.insert(0, {str(package)!r})
import work
threading.Thread(target=work.export, daemon=True).start()
waits()
"""
    text = collect(start(script), path).text
    assert "1 thread of telemetry left out" in text
    assert "in export" not in text


def test_a_text_of_many_processes_is_bounded(start: Start, path: Path) -> None:
    script = f"""
for _ in range({stacks.MAX_PROCESSES + 5}):
    subprocess.Popen(["sleep", "60"])
waits()
"""
    text = collect(start(script), path).text
    numbers = [word for line in text.splitlines() if line.startswith("process") for word in line.split()[1:]]
    assert len(numbers) == stacks.MAX_PROCESSES - 1


def test_a_thread_that_the_kernel_does_not_let_go_is_named(start: Start, path: Path, tmp_path: Path) -> None:
    # A parent waits like that until its child, which waits for somebody to write, runs another program.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    script = f"""
print(flush=True)
opening = [(os.POSIX_SPAWN_OPEN, 0, {str(fifo)!r}, os.O_RDONLY, 0)]
os.posix_spawn("/bin/true", ["true"], {{}}, file_actions=opening)
"""
    process = start(script)
    until = time.monotonic() + 20
    while not threads.waits(process.pid, process.pid).startswith("state D"):
        assert time.monotonic() < until
        time.sleep(0.005)
    began = time.monotonic()
    text = collect(process, path).text
    assert time.monotonic() - began < 2 * stacks.DEADLINE
    assert "main thread, not asked for its stack (state D" in text


def test_native_threads_are_left_alone(start: Start, path: Path) -> None:
    script = """
def named():
    Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("native")
    started.set()
    threading.Event().wait()

started = threading.Event()
threading.Thread(target=named, daemon=True).start()
started.wait()
waits()
"""
    text = collect(start(script), path).text
    assert "in waits" in text
    assert "in named" not in text
