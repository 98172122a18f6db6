"""The file system of a path is found without a system call that may hang."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ocr_otel.resources.host.mounts import Kind, Mount, mount_of, parse_mounts, resolve
from tests.unit.resources.host.conftest import Machine


def container(machine: Callable[[str], Machine]) -> list[Mount]:
    return parse_mounts((machine("v2_namespace").root / "proc" / "self" / "mountinfo").read_bytes())


@pytest.mark.parametrize(
    ("path", "point", "kind"),
    [
        ("/work/run", "/", Kind.OVERLAY),
        ("/data/images", "/data", Kind.DISK),
        ("/database", "/", Kind.OVERLAY),
        ("/mnt/my nfs/set", "/mnt/my nfs", Kind.NETWORK),
        ("/mnt/s3/set", "/mnt/s3", Kind.FUSE),
        ("/dev/shm", "/dev/shm", Kind.MEMORY),
    ],
)
def test_a_path_lies_in_the_deepest_mount(machine: Callable[[str], Machine], path: str, point: str, kind: Kind) -> None:
    mount = mount_of(path, container(machine))
    assert mount is not None
    assert (mount.point, mount.kind) == (point, kind)


def test_the_later_of_two_at_one_point_is_seen() -> None:
    lines = b"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /d rw - xfs /dev/sda2 rw\n3 2 0:9 / /d rw - tmpfs none rw\n"
    mount = mount_of("/d/x", parse_mounts(lines))
    assert mount is not None
    assert mount.type == "tmpfs"


def test_links_are_followed_as_the_kernel_does(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "relative").symlink_to("real/deep")
    (tmp_path / "absolute").symlink_to(tmp_path / "relative")
    (tmp_path / "loop").symlink_to("loop")
    at = f"{tmp_path}/real/deep"
    mounts = [Mount("8:1", "/", "/", "ext4", "/dev/sda1", ""), Mount("8:2", "/", at, "xfs", "/dev/sdb", "")]
    for name in ("relative", "absolute", "absolute/not/there/yet", "real/../relative/x"):
        mount = resolve(f"{tmp_path}/{name}", mounts)
        assert mount is not None
        assert mount.point == at, name
    assert resolve(f"{tmp_path}/loop", mounts) is None


def test_nothing_in_a_file_system_that_may_hang_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "server")
    mounts = [
        Mount("8:1", "/", "/", "ext4", "/dev/sda1", ""),
        Mount("0:40", "/", f"{tmp_path}/server", "nfs4", "server:/export", ""),
    ]
    asked: list[str] = []
    readlink = os.readlink

    def watched(path: str) -> str:
        asked.append(path)
        return readlink(path)

    monkeypatch.setattr(os, "readlink", watched)
    mount = resolve(f"{tmp_path}/link/set/a.png", mounts)
    assert mount is not None
    assert mount.type == "nfs4"
    assert asked
    assert not [path for path in asked if path.startswith(f"{tmp_path}/server")]


def test_lines_that_are_no_mounts_are_left_out() -> None:
    assert parse_mounts(b"\nnot a mount\n1 2 3 - \n") == []


def test_every_path_of_this_machine_lies_somewhere() -> None:
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_bytes())
    here = resolve(str(Path.cwd()), mounts)
    assert here is not None
    if not here.device.startswith("0:"):
        device = Path.cwd().stat().st_dev
        assert here.device == f"{os.major(device)}:{os.minor(device)}"
