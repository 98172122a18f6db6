"""What `/proc` says of processes that are really there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_otel.watchdog import threads


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_process_says_what_it_is(sleeper: subprocess.Popen[bytes]) -> None:
    found = threads.stat(sleeper.pid)
    assert found is not None
    assert (found.name, found.parent, found.stopped) == ("sleep", os.getpid(), False)
    assert threads.stat_of(found) is not None
    assert (found.pid, found.start_ticks) in [(each.pid, each.start_ticks) for each in threads.children()[os.getpid()]]


def test_a_stopped_process_is_known(sleeper: subprocess.Popen[bytes]) -> None:
    os.kill(sleeper.pid, signal.SIGSTOP)
    os.waitpid(sleeper.pid, os.WUNTRACED)
    found = threads.stat(sleeper.pid)
    assert found is not None
    assert found.stopped


def test_who_is_gone_is_nobody_and_neither_is_who_has_his_number() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        found = threads.stat(process.pid)
        process.kill()
    assert found is not None
    assert threads.stat(process.pid) is None
    assert threads.stat_of(found) is None
    assert threads.waits(process.pid, process.pid) == ""
    assert threads.threads(process.pid) == []
    assert threads.signals(process.pid) == {}
    other = threads.stat(os.getpid())
    assert other is not None
    assert threads.stat_of(threads.Stat(os.getpid(), "", "S", 0, other.start_ticks - 1)) is None


def test_a_name_may_hold_whatever_it_likes() -> None:
    name = ") Z 1 ("
    code = f"import sys\nopen('/proc/self/comm', 'w').write({name!r})\nprint(flush=True)\nsys.stdin.read()"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = threads.stat(process.pid)
        process.communicate()
    assert found is not None
    assert (found.name, found.parent) == (name, os.getpid())


def test_signals_are_known_by_what_becomes_of_them() -> None:
    number = signal.SIGRTMIN + 20
    before = signal.signal(number, lambda *_: None)
    try:
        masks = threads.signals(os.getpid())
        assert masks["SigCgt"] >> (number - 1) & 1
        assert not masks["SigIgn"] >> (number - 1) & 1
    finally:
        signal.signal(number, before)
    assert not threads.signals(os.getpid())["SigCgt"] >> (number - 1) & 1


def test_threads_come_with_the_main_one_first() -> None:
    done = threading.Event()
    other = threading.Thread(target=done.wait)
    other.start()
    try:
        found = threads.threads(os.getpid())
        assert other.native_id is not None
        assert found[0] == os.getpid()
        assert other.native_id in found
        assert threads.waits(os.getpid(), other.native_id).startswith("state ")
    finally:
        done.set()
        other.join()


def test_a_file_is_known_by_what_it_is_and_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w") as file:
        status = os.fstat(file.fileno())
        path.rename(tmp_path / "moved")
        path.touch()
        assert threads.has_open(os.getpid(), status)
        assert not threads.has_open(os.getpid(), path.stat())
    assert not threads.has_open(os.getpid(), status)
