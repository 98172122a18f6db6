"""Trees of procfs and sysfs, `hybrid` recorded and the others in the kernel's formats; and a place on a disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ocr_otel.resources.host.disks import place_of
from ocr_otel.resources.host.mounts import parse_mounts

RECORDED = Path(__file__).parents[3] / "support" / "proc"


@dataclass(frozen=True)
class Machine:
    """Copies of the kernel's files of a machine; what is mounted in them is inside the copy too."""

    root: Path

    @property
    def proc(self) -> str:
        return str(self.root / "proc")

    @property
    def groups(self) -> str:
        return str(self.root / "sys" / "fs" / "cgroup")


@pytest.fixture
def machine(tmp_path: Path) -> Callable[[str], Machine]:
    """Copies a recorded machine."""

    def copy(name: str) -> Machine:
        root = tmp_path / name
        shutil.copytree(RECORDED / name, root)
        mounts = root / "proc" / "self" / "mountinfo"
        mounts.write_text(mounts.read_text().replace(" /sys/fs/cgroup", f" {root}/sys/fs/cgroup"))
        return Machine(root)

    return copy


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system with a device of its own, as far as the machine has one."""
    mounts = parse_mounts(Path("/proc/self/mountinfo").read_bytes())
    for candidate in (tmp_path, Path.cwd(), Path("/var/tmp"), Path.home()):
        place = place_of(str(candidate), mounts)
        if place is not None and place.disks and os.access(candidate, os.W_OK):
            directory = candidate / f".ocr_otel_test_{os.getpid()}"
            directory.mkdir()
            try:
                yield directory
            finally:
                shutil.rmtree(directory)
            return
    pytest.skip("no directory that may be written lies on a disk of this machine")
