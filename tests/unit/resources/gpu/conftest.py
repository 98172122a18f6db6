"""The fake library, loaded where nvidia-ml-py looks for the real one."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.nvml.library import VARIABLE, Machine, build, load
from tests.support.nvml.states import State

MakeMachine = Callable[[State], Machine]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture(scope="session")
def old_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("nvml_old"), "-DOLD_DRIVER")


@pytest.fixture(scope="session")
def nvml(library: Path) -> ctypes.CDLL:
    return load(library)


@pytest.fixture
def machine(nvml: ctypes.CDLL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeMachine]:
    """Make a machine whose GPUs this process sees; in the end nothing of NVML may be held."""

    def make(state: State) -> Machine:
        made = Machine(tmp_path / "machine", state)
        monkeypatch.setenv(VARIABLE, str(made.path))
        return made

    yield make
    assert nvml.fake_started() == 0
    assert nvml.fake_event_sets() == 0
