"""What is published: built once, and installed once into an environment of its own outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from uv import find_uv_bin

ROOT: Final = Path(__file__).parents[2]
DISTRIBUTIONS: Final = ROOT / "dist"
EXTRAS: Final = "demo,report"
LONGEST: Final = 600
"""Seconds for one command; the first one compiles PyTorch's bytecode."""


@dataclass(frozen=True, slots=True)
class Built:
    """The files that are published."""

    sdist: Path
    wheel: Path


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that has the wheel, and a folder without anything."""

    environment: Path
    folder: Path

    @property
    def python(self) -> Path:
        return self.environment / "bin" / "python"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the folder, as a shell does that has activated it."""
        return subprocess.run(
            [self.environment / "bin" / command[0], *command[1:]],
            cwd=self.folder,
            env=self.variables(),
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )

    def variables(self) -> dict[str, str]:
        """Return this process's variables, without those that could lead to the checkout or change a recording."""
        others = ("OCR_OTEL", "OTEL_", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(others)}
        path = os.pathsep.join([str(self.environment / "bin"), os.environ["PATH"]])
        return kept | {"PATH": path, "VIRTUAL_ENV": str(self.environment)}


def uv(*arguments: str | Path) -> None:
    """Run uv; it links what it has in its cache, where the file system can."""
    done = subprocess.run(
        [find_uv_bin(), *arguments],
        cwd=ROOT,
        env={**os.environ, "UV_LINK_MODE": "hardlink"},
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def built() -> Built:
    """The sdist, and the wheel that is made of it."""
    for old in DISTRIBUTIONS.glob("ocr_otel-*"):
        old.unlink()
    uv("build", "--quiet", "--out-dir", DISTRIBUTIONS)
    (sdist,), (wheel,) = DISTRIBUTIONS.glob("*.tar.gz"), DISTRIBUTIONS.glob("*.whl")
    return Built(sdist, wheel)


@pytest.fixture(scope="session")
def installed(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel with two extras, at the pinned versions."""
    base = tmp_path_factory.mktemp("installed")
    environment, folder = base / "environment", base / "empty"
    folder.mkdir()
    uv("venv", "--quiet", "--python", sys.executable, environment)
    python = environment / "bin" / "python"
    wheel = f"ocr_otel[{EXTRAS}] @ {built.wheel.as_uri()}"
    uv("pip", "install", "--quiet", "--python", python, "--constraint", ROOT / "constraints.txt", wheel)
    return Installed(environment, folder)
