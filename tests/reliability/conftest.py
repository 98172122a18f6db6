"""What the reliability tests share: small disks, and how much of them is run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.disks import mount, unmount

FOLDER = Path(__file__).parent


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KB."""
    disk = tmp_path / "disk"
    mount(disk, "size=64k,mode=777")
    yield disk
    unmount(disk)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room enough."""
    disk = tmp_path / "disk"
    mount(disk, "size=64m,mode=777")
    yield disk
    unmount(disk)


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that cannot be written."""
    disk = tmp_path / "disk"
    mount(disk, "ro")
    yield disk
    unmount(disk)


@pytest.fixture
def root() -> None:
    """Skip where the test does not run as root, which CI must."""
    if os.geteuid():
        assert os.environ.get("CI") is None, "CI must run these tests as root"
        pytest.skip("needs root")


def pytest_configure(config: pytest.Config) -> None:
    """Name what takes long: `-m "not slow_reliability"` leaves it out."""
    config.addinivalue_line("markers", "slow_reliability: takes minutes")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the time of two trainings on a busy machine."""
    for item in items:
        if FOLDER in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(360))
