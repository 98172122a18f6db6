"""How a process ended, from its status and from what the kernel says about memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_otel.semconv import EndCause
from ocr_otel.watchdog import life
from ocr_otel.watchdog.ending import GONE, end_of
from ocr_otel.watchdog.life import Life
from ocr_otel.watchdog.oom import OutOfMemory
from tests.support.watchdog_watching import wait_for

OUT = "ran out of memory"


@pytest.mark.parametrize(
    ("status", "memory", "cause", "summary"),
    [
        (9, "", EndCause.SIGNAL, "killed by SIGKILL"),
        (9, OUT, EndCause.OOM, "killed by SIGKILL: the kernel ran out of memory"),
        (15, OUT, EndCause.SIGNAL, "killed by SIGTERM"),
        (11 | 128, OUT, EndCause.SIGNAL, "killed by SIGSEGV"),
        (40, "", EndCause.SIGNAL, "killed by signal 40"),
        (0, OUT, EndCause.EXIT, "exited with code 0 before its telemetry was ended"),
        (3 << 8, "", EndCause.EXIT, "exited with code 3 before its telemetry was ended"),
        (None, OUT, EndCause.OOM, "killed: the kernel ran out of memory"),
        (None, "", EndCause.UNKNOWN, GONE.summary),
    ],
)
def test_the_end_in_words(status: int | None, memory: str, cause: EndCause, summary: str) -> None:
    end = end_of(status, memory)
    assert (end.cause, end.summary) == (cause, summary)


def sleeper() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])


@pytest.mark.parametrize("collected", [True, False])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_status_is_known_whether_or_not_the_parent_has_collected_it(number: int, collected: bool) -> None:
    process = sleeper()
    pidfd = os.pidfd_open(process.pid)
    seen = Life(process.pid, life.start_ticks(process.pid) or 0, pidfd)
    assert seen.lives()
    process.send_signal(number)
    if collected:
        process.wait()
    wait_for(lambda: not seen.lives())
    status = seen.status()
    process.wait()
    os.close(pidfd)
    seen.close()
    if status is None:
        pytest.skip("this kernel does not say how a process ended that its parent has collected")
    assert os.waitstatus_to_exitcode(status) == -number


def test_without_a_pidfd_a_process_that_nobody_has_collected_says_it() -> None:
    process = sleeper()
    seen = Life(process.pid, life.start_ticks(process.pid) or 0)
    assert seen.lives()
    process.kill()
    wait_for(lambda: not seen.lives())
    status = seen.status()
    process.wait()
    assert status is not None
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL


def test_a_process_that_is_collected_and_has_no_pidfd_says_nothing() -> None:
    process = sleeper()
    seen = Life(process.pid, life.start_ticks(process.pid) or 0)
    process.kill()
    process.wait()
    assert not seen.lives()
    assert seen.status(patience=0) is None


def test_another_process_with_the_same_pid_is_not_it() -> None:
    ticks = life.start_ticks(os.getpid())
    assert ticks is not None
    assert Life(os.getpid(), ticks).lives()
    assert not Life(os.getpid(), ticks + 1).lives()


def test_who_lives_by_what_a_header_says() -> None:
    me = life.identity(os.getpid())
    assert life.lives(me) is True
    assert life.lives({**me, "start_ticks": me["start_ticks"] + 1}) is False
    assert life.lives({**me, "boot_id": "another"}) is False
    assert life.lives({**me, "pid_namespace": "pid:[1]"}) is None
    assert life.lives({}) is None


GROUP = "memory.oom_control", "under_oom 0\noom_kill {kills}\n", "memory.limit_in_bytes", "memory.failcnt", "{fails}"
UNIFIED = "memory.events", "oom {fails}\noom_kill {kills}\n", "memory.max", None, None


def proc(folder: Path, version: int, limit: int | None) -> tuple[Path, Path]:
    """A made procfs, and the directory of the process's control group with a limit above it."""
    own = folder / "group" / "parent" / "own"
    own.mkdir(parents=True)
    kind = "cgroup cgroup rw,memory" if version == 1 else "cgroup2 cgroup2 rw"
    process = folder / "proc" / "7"
    process.mkdir(parents=True)
    (folder / "proc" / "self").mkdir()
    line = "4:memory:/parent/own\n0::/other\n" if version == 1 else "0::/parent/own\n"
    (process / "cgroup").write_text(line)
    (folder / "proc" / "self" / "mountinfo").write_text(f"30 20 0:26 / {folder}/group rw - {kind}\n")
    _, _, limits, _, _ = GROUP if version == 1 else UNIFIED
    (own / limits).write_text(f"{2**63 - 4096}\n" if version == 1 else "max\n")
    if limit is not None:
        (own.parent / limits).write_text(f"{limit}\n")
    return folder / "proc", own


def count(own: Path, version: int, kills: int, fails: int) -> None:
    events, text, _, failing, fail_text = GROUP if version == 1 else UNIFIED
    (own / events).write_text(text.format(kills=kills, fails=0))
    (own.parent / events).write_text(text.format(kills=kills, fails=fails))
    if failing and fail_text:
        (own.parent / failing).write_text(fail_text.format(fails=fails))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("limit", "kills", "fails", "verdict"),
    [
        (512_000_000, 1, 1, "ran out of memory in its control group (limit 512 MB)"),
        (64_000_000_000, 1, 1, "ran out of memory in its control group (limit 64.0 GB)"),
        (512_000_000, 1, 0, "ran out of memory"),
        (None, 1, 1, "ran out of memory"),
        (512_000_000, 0, 1, ""),
    ],
)
def test_counters_of_the_control_group_tell(
    tmp_path: Path, version: int, limit: int | None, kills: int, fails: int, verdict: str
) -> None:
    made, own = proc(tmp_path, version, limit)
    count(own, version, 3, 8)
    watch = OutOfMemory(7, str(made))
    assert watch.verdict() == ""
    count(own, version, 3 + kills, 8 + fails)
    assert watch.verdict() == verdict
    watch.close()


def test_without_control_groups_nothing_is_known(tmp_path: Path) -> None:
    watch = OutOfMemory(7, str(tmp_path))
    assert watch.verdict() == ""
    watch.close()
    watch.close()


def test_a_process_replaced_by_another_program_is_seen_by_what_it_has_mapped() -> None:
    process = sleeper()
    try:
        wait_for(lambda: Path(f"/proc/{process.pid}/maps").read_text())
        seen = Life(process.pid, life.start_ticks(process.pid) or 0)
        assert seen.is_replaced("memfd:of-nobody")
        assert not seen.is_replaced("/")
    finally:
        process.kill()
        process.wait()
    assert not seen.is_replaced("memfd:of-nobody")
