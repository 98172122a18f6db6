"""Lightning's tests as its public repository has them, and an environment that they run in."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from packaging.version import InvalidVersion, Version

REPOSITORY: Final = "https://github.com/Lightning-AI/pytorch-lightning"
TESTS: Final = Path("tests") / "tests_pytorch"
_WANTED: Final = (TESTS.as_posix(), "pyproject.toml")
"""The tests, and pytest's configuration of them; not Lightning itself, which is the installed one."""
_BEYOND: Final = ("pytest-rerunfailures",)
"""What they need and the project's environment has not: they mark some tests with `flaky(reruns=3)`."""
_COMMIT: Final = "commit.txt"


def cache() -> Path:
    """Return where tests and environment are kept, outside the working tree."""
    return Path.home() / ".cache" / "ocr-otel" / "lightning"


def tag_for(source: str) -> str:
    """Return the tag of the installed version, or the nearest one before it that the repository has.

    Raises:
        LookupError: It has none.
    """
    listed = _git("ls-remote", "--tags", "--refs", source).decode()
    tags = [line.rpartition("refs/tags/")[2] for line in listed.splitlines()]
    return nearest(tags, version("lightning"))


def nearest(tags: Iterable[str], installed: str) -> str:
    """Return the tag of the newest release that is not newer than what is installed.

    Raises:
        LookupError: There is none.
    """
    releases = {}
    for tag in tags:
        try:
            release = Version(tag)
        except InvalidVersion:
            continue
        if not release.is_prerelease and release <= Version(installed):
            releases[release] = tag
    if not releases:
        raise LookupError(f"the repository has no tag of a release up to {installed}")
    return releases[max(releases)]


def fetch(source: str, tag: str, folder: Path) -> str:
    """Put the tests of a tag into a folder, if they are not there, and return the commit.

    Args:
        source: A git URL, or the folder of a repository on this machine.
        tag: The tag.
        folder: Where to.
    """
    noted = folder / _COMMIT
    if noted.exists():
        return noted.read_text(encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    repository = Path(source)
    if not repository.is_dir():
        repository = folder / "git"
        _git("clone", "--quiet", "--bare", "--depth", "1", "--branch", tag, source, str(repository))
    commit = _git("-C", str(repository), "rev-parse", f"{tag}^{{commit}}").decode().strip()
    archive = _git("-C", str(repository), "archive", commit, *_WANTED)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(folder)
    noted.write_text(commit, encoding="utf-8")
    return commit


def make_environment(folder: Path) -> Path:
    """Make an environment over this process's own, which is left as it is, and return its Python.

    Its packages are those of the project, the same Lightning and PyTorch, and what the tests need beyond.
    """
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=False, symlinks=True)
    packages = folder / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    below = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (packages / "project.pth").write_text(below, encoding="utf-8")
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "pip", "install", "--quiet", "--no-deps", "--python", python, *_BEYOND], check=True)
    return python


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE).stdout
