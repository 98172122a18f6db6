"""Builds the fake library and writes what it says."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from typing import Final

from tests.support.nvml.states import State

SOURCE: Final = Path(__file__).with_name("fake_nvml.c")
LIBRARY: Final = "libnvidia-ml.so.1"
"""The name by which nvidia-ml-py asks the dynamic linker."""
VARIABLE: Final = "FAKE_NVML_STATE"


def build(directory: Path, *options: str) -> Path:
    """Compile the library into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / LIBRARY
    command = ["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", f"-Wl,-soname,{LIBRARY}", *options]
    subprocess.run([*command, "-o", str(path), str(SOURCE)], check=True)
    return path


class Machine:
    """What the library says, until it is said otherwise."""

    def __init__(self, path: Path, state: State) -> None:
        self.path = path
        self._state: State = {}
        self.change(state)

    def change(self, state: State) -> None:
        """Change some of the lines, at once."""
        self._state |= state
        self._write()

    def remove(self, *keys: str) -> None:
        """Take lines away."""
        for key in keys:
            del self._state[key]
        self._write()

    def _write(self) -> None:
        new = self.path.with_suffix(".new")
        new.write_text("".join(f"{key}={value}\n" for key, value in self._state.items()), encoding="utf-8")
        new.replace(self.path)


def load(path: Path) -> ctypes.CDLL:
    """Load the library, so that this process finds it when it asks for it by name; without a state there is none."""
    return ctypes.CDLL(str(path))


def environment(library: Path, machine: Path) -> dict[str, str]:
    """Return the environment of a process that finds the library by itself."""
    return {**os.environ, "LD_LIBRARY_PATH": str(library.parent), VARIABLE: str(machine)}
