"""Builds the servers' programs with Go, each into the cache at once or not at all."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ocr_otel.stack.binaries import Binary, cached, module_directory, version
from ocr_otel.stack.errors import StackError

Progress = Callable[[int, int], None]
"""Told how many packages are compiled, and of how many."""

_FLAGS: Final = ("-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w")
"""`readonly`: what `go.mod` and `go.sum` pin is built, or nothing."""
_UNFINISHED: Final = ".building-"
_LAST_LINES: Final = 15

_CASES: Final[tuple[tuple[str, str], ...]] = (
    (
        r"requires go >= (?P<wanted>[\d.]+) \(running go (?P<found>[\d.]+)",
        "Go {found} is too old, {wanted} or newer is needed: https://go.dev/dl, or unset GOTOOLCHAIN so that Go "
        "fetches it",
    ),
    (r"no space left on device", "the disk is full"),
    (
        r"checksum mismatch|SECURITY ERROR",
        "a module is not the one that go.sum pins; nothing was built. Is a proxy between that changes it?",
    ),
    (
        r"dial tcp|no such host|i/o timeout|connection refused|TLS handshake|proxyconnect|network is unreachable"
        r"|context deadline exceeded|reading https?://|cannot find module providing package"
        r"|module lookup disabled",
        "the Go modules cannot be fetched: is the network there, and does `go env GOPROXY` name a proxy that answers?",
    ),
)
"""A pattern in what Go says, and what it means: the first that fits counts."""


def build(binary: Binary, configuration: Path, progress: Progress | None = None) -> Path:
    """Build a binary unless the cache has it.

    Args:
        binary: What to build.
        configuration: `collector-config/`.
        progress: Called while packages are compiled.

    Returns:
        The built program.

    Raises:
        StackError: Go is missing or too old, modules cannot be fetched, or the build failed.
    """
    target = cached(binary, configuration)
    if target.is_file():
        return target
    versions = target.parent.parent
    try:
        versions.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StackError(f"cannot write to the cache {versions}: {error.strerror}; XDG_CACHE_HOME moves it") from error
    with _alone(versions / "lock"):
        if not target.is_file():
            _sweep(versions)
            _build_into(target, binary, configuration, progress)
    return target


def _build_into(target: Path, binary: Binary, configuration: Path, progress: Progress | None) -> None:
    go = shutil.which("go")
    if go is None:
        raise StackError(
            f"{binary.name} is built with Go, which is not installed: https://go.dev/dl, or use docker-compose.yml"
        )
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=target.parent.parent))
    try:
        total = _count_packages(go, binary, configuration) if progress else 0
        command = [go, "build", "-v", *_FLAGS, "-o", str(unfinished / binary.name), binary.package]
        said: deque[str] = deque(maxlen=400)
        done = 0
        with subprocess.Popen(
            command,
            cwd=module_directory(binary, configuration),
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                for line in process.stderr or ():
                    said.append(line.rstrip())
                    # With -v each compiled package is a line of its own; everything else has a space in it.
                    if progress and " " not in line.strip():
                        done += 1
                        progress(min(done, total), total)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            raise StackError(_explain(binary, version(binary, configuration), list(said)))
        # Nobody sees the folder under its real name before the program in it is complete.
        unfinished.chmod(0o755)
        unfinished.rename(target.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _count_packages(go: str, binary: Binary, configuration: Path) -> int:
    listed = subprocess.run(
        [go, "list", "-mod=readonly", "-deps", binary.package],
        cwd=module_directory(binary, configuration),
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        raise StackError(_explain(binary, version(binary, configuration), listed.stderr.splitlines()))
    return len(listed.stdout.splitlines())


def _environment() -> dict[str, str]:
    # Without cgo no C compiler is needed, and the program runs on any Linux. A workspace of the user's is not ours.
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": ""}


def _explain(binary: Binary, number: str, said: list[str]) -> str:
    begin = f"building {binary.name} {number} failed"
    text = "\n".join(said)
    for pattern, meaning in _CASES:
        if found := re.search(pattern, text):
            words = meaning.format_map(found.groupdict())
            line = text[text.rfind("\n", 0, found.start()) + 1 :].partition("\n")[0].strip()
            return f"{begin}: {words}\n  {line}"
    return "\n  ".join([f"{begin}:", *said[-_LAST_LINES:]])


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sweep(versions: Path) -> None:
    # Left by a build that was killed; whoever holds the lock is the only one building.
    for path in versions.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(path, ignore_errors=True)
