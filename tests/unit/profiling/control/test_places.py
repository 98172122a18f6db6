"""Where sockets lie: only in a directory that is this user's alone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ocr_otel.profiling.control import places
from ocr_otel.profiling.control.machine import started


def private(base: Path) -> Path:
    return base / f"ocr_otel-{os.geteuid()}"


def test_socket_and_its_directory_are_open_to_this_user_alone(sockets_at: Path) -> None:
    listener, made = places.listen()
    with listener:
        assert made.path.parent == private(sockets_at)
        assert made.path.parent.stat().st_mode & 0o777 == 0o700
        assert made.path.stat().st_mode & 0o777 == 0o600
        assert places.sockets(made.path.parent) == [made]
        assert (made.pid, made.started) == (os.getpid(), started(os.getpid()))


def test_link_is_refused(sockets_at: Path, tmp_path: Path) -> None:
    private(sockets_at).symlink_to(tmp_path)
    with pytest.raises(OSError, match="is a link or a file, and not a directory"):
        places.listen()
    assert not list(tmp_path.iterdir())


def test_directory_that_others_may_enter_is_refused(sockets_at: Path) -> None:
    private(sockets_at).mkdir(mode=0o777)
    private(sockets_at).chmod(0o777)
    with pytest.raises(OSError, match=r"open to other users \(mode 777, not 700\)"):
        places.listen()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_directory_of_another_user_is_refused(sockets_at: Path) -> None:
    private(sockets_at).mkdir(mode=0o700)
    os.chown(private(sockets_at), 65_534, 65_534)
    with pytest.raises(OSError, match="belongs to the user nobody"):
        places.listen()
    with pytest.raises(places.UnsafeDirectory):
        places.sockets(private(sockets_at))


def test_other_temporary_directory_is_used_where_the_first_is_not_safe(
    sockets_at: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "SYSTEM_TEMPORARY", tmp_path)
    private(tmp_path).symlink_to(sockets_at)
    listener, made = places.listen()
    with listener:
        assert made.path.parent == private(sockets_at)


def test_path_that_is_too_long_for_a_socket_is_said(sockets_at: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = sockets_at / ("a" * 100)
    long.mkdir()
    monkeypatch.setattr(places, "SYSTEM_TEMPORARY", long)
    monkeypatch.setattr(places.tempfile, "tempdir", str(long))
    with pytest.raises(OSError, match=r"no socket for `ocr-otel profile` could be made: .*too long"):
        places.listen()


def test_socket_of_a_dead_process_is_removed_and_that_of_a_living_one_is_not(sockets_at: Path) -> None:
    directory = private(sockets_at)
    directory.mkdir(mode=0o700)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead = directory / f"{int(ended.stdout)}-1.sock"
    reused = directory / f"{os.getppid()}-1.sock"
    for path in (dead, reused):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.bind(str(path))
    unseen = directory / "4194303-7.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(unseen))
        other.listen()
        listener, made = places.listen()
        with listener:
            assert {each.path for each in places.sockets(directory)} == {made.path, unseen}
