"""The training lets its stacks be asked for, in processes of their own: signals are a process's."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

FIRST = signal.SIGRTMIN + 9

COMMON = """
import ctypes, faulthandler, os, signal, sys, threading
from pathlib import Path
from ocr_otel.watchdog import stack_signal

path = Path(sys.argv[1])
libc = ctypes.CDLL(None)

def ask(number, pid=None, thread=None):
    pid = pid or os.getpid()
    assert libc.tgkill(pid, thread or pid, number) == 0
"""


def run(script: str, path: Path) -> str:
    code = COMMON + textwrap.dedent(script)
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stacks"


def test_a_signal_writes_the_stack_of_the_thread_that_gets_it(path: Path) -> None:
    run(
        f"""
        assert stack_signal.register(path)
        assert stack_signal.register(path)
        def asked():
            ask({FIRST})
        asked()
        """,
        path,
    )
    first, *dump = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith(f"signal {FIRST} thread ")
    assert dump[0] == "Stack (most recent call first):"
    assert [line.rpartition(" in ")[2] for line in dump[1:]] == ["ask", "asked", "<module>"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_signal_that_somebody_has_put_back_is_taken_again(path: Path) -> None:
    run(
        f"""
        stack_signal.renew()
        assert stack_signal.register(path)
        signal.signal({FIRST}, signal.SIG_DFL)
        stack_signal.renew()
        stack_signal.renew()
        ask({FIRST})
        """,
        path,
    )
    assert path.read_text(encoding="utf-8").count("Stack (most recent call first):") == 1


def test_another_thread_than_the_main_one_may_register_and_name_itself(path: Path) -> None:
    said = run(
        f"""
        def work():
            assert stack_signal.register(path, threading.get_native_id())
            print(threading.get_native_id())
            ask({FIRST}, thread=threading.get_native_id())
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        """,
        path,
    )
    content = path.read_text(encoding="utf-8")
    assert content.startswith(f"signal {FIRST} thread {said.strip()}\n")
    assert " in work\n" in content


def test_a_forked_child_writes_into_the_same_file(path: Path) -> None:
    run(
        f"""
        assert stack_signal.register(path)
        def in_child():
            ask({FIRST})
        pid = os.fork()
        if not pid:
            in_child()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        """,
        path,
    )
    assert " in in_child\n" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "taken",
    [
        f"signal.signal({FIRST}, lambda *_: None)",
        f"signal.signal({FIRST}, signal.SIG_IGN)",
        f"faulthandler.register({FIRST}, sys.stderr)",
        f"libc.signal({FIRST}, ctypes.cast(libc.abs, ctypes.c_void_p))",
    ],
)
def test_a_signal_that_somebody_has_is_left_to_them(taken: str, path: Path) -> None:
    run(
        f"""
        {taken}
        assert stack_signal.register(path)
        """,
        path,
    )
    assert path.read_text(encoding="utf-8").startswith(f"signal {FIRST + 1} thread ")


def test_where_every_signal_is_taken_there_are_no_stacks(path: Path) -> None:
    run(
        """
        for number in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
            signal.signal(number, signal.SIG_IGN)
        assert not stack_signal.register(path)
        stack_signal.unregister()
        """,
        path,
    )
    assert not path.exists()


def test_a_signal_that_was_taken_over_meanwhile_is_not_taken_back(path: Path) -> None:
    run(
        f"""
        got = []
        assert stack_signal.register(path)
        signal.signal({FIRST}, lambda number, frame: got.append(number))
        assert stack_signal.register(path)
        ask({FIRST})
        assert got == [{FIRST}]
        """,
        path,
    )
    assert path.read_text(encoding="utf-8").startswith(f"signal {FIRST + 1} thread ")


def test_after_the_end_the_signal_does_nothing(path: Path) -> None:
    run(
        f"""
        assert stack_signal.register(path)
        stack_signal.unregister()
        ask({FIRST})
        path.unlink()
        assert stack_signal.register(path)
        ask({FIRST})
        """,
        path,
    )
    assert path.read_text(encoding="utf-8").count("Stack (most recent call first):") == 1


def test_a_users_own_use_of_faulthandler_stays_as_it_is(path: Path, tmp_path: Path) -> None:
    run(
        f"""
        crashes = open({str(tmp_path / "crashes")!r}, "w")
        faulthandler.enable(crashes)
        faulthandler.dump_traceback_later(0.05, file=crashes)
        faulthandler.register(signal.SIGUSR1, crashes)
        assert stack_signal.register(path)
        stack_signal.unregister()
        assert faulthandler.is_enabled()
        signal.raise_signal(signal.SIGUSR1)
        import time
        until = time.monotonic() + 20
        while "Timeout" not in Path(crashes.name).read_text() and time.monotonic() < until:
            time.sleep(0.01)
        """,
        path,
    )
    content = (tmp_path / "crashes").read_text(encoding="utf-8")
    assert "Current thread" in content
    assert "Timeout (0:00:00.05" in content


def test_a_busy_process_survives_being_asked_again_and_again(path: Path) -> None:
    # Where each dump reads all threads, this process dies within a few hundred.
    run(
        f"""
        assert stack_signal.register(path)
        def numbers(count):
            yield from range(count)
        def deep(count):
            return 0 if not count else 1 + deep(count - 1)
        stop = threading.Event()
        def short_lived():
            while not stop.is_set():
                thread = threading.Thread(target=lambda: sum(numbers(50)))
                thread.start()
                thread.join()
        def asking():
            for _ in range(3000):
                ask({FIRST})
                stop.wait(0.0003)
            stop.set()
        threads = [threading.Thread(target=each) for each in (short_lived, asking)]
        for thread in threads:
            thread.start()
        while not stop.is_set():
            deep(50)
            sum(numbers(100))
        """,
        path,
    )
    assert path.read_text(encoding="utf-8").count("Stack (most recent call first):") >= 1000
