"""The servers' programs: which there are, at which version, and where in the cache they lie once built."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ocr_otel.stack.errors import StackError


@dataclass(frozen=True, slots=True)
class Binary:
    """A program that is built from pinned Go modules.

    Attributes:
        name: Its file name.
        folder: Its module, a folder in `collector-config/build/`.
        package: The Go package that is built.
        pinned_by: The Go module whose version is the program's.
    """

    name: str
    folder: str
    package: str
    pinned_by: str


_ALERTMANAGER: Final = "github.com/prometheus/alertmanager"
_PROMETHEUS: Final = "github.com/prometheus/prometheus"
_JAEGER: Final = "github.com/jaegertracing/jaeger"

BINARIES: Final = {
    binary.name: binary
    for binary in (
        Binary("alertmanager", "alertmanager", f"{_ALERTMANAGER}/cmd/alertmanager", _ALERTMANAGER),
        Binary("amtool", "alertmanager", f"{_ALERTMANAGER}/cmd/amtool", _ALERTMANAGER),
        Binary("otelcol", "otelcol", ".", "go.opentelemetry.io/collector/otelcol"),
        Binary("prometheus", "prometheus", f"{_PROMETHEUS}/cmd/prometheus", _PROMETHEUS),
        Binary("promtool", "prometheus", f"{_PROMETHEUS}/cmd/promtool", _PROMETHEUS),
        Binary("jaeger", "jaeger", f"{_JAEGER}/cmd/jaeger", _JAEGER),
    )
}
"""By name, quickest to build first; the tools check configuration and are not needed to run the stack."""


def cache_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Return `${XDG_CACHE_HOME:-~/.cache}/ocr-otel/servers`."""
    env = os.environ if environ is None else environ
    home = env.get("XDG_CACHE_HOME")
    # The specification says that a relative path is to be ignored.
    base = Path(home) if home and Path(home).is_absolute() else Path.home() / ".cache"
    return base / "ocr-otel" / "servers"


def module_directory(binary: Binary, configuration: Path) -> Path:
    """Return the folder of the binary's Go module."""
    return configuration / "build" / binary.folder


def version(binary: Binary, configuration: Path) -> str:
    """Return the pinned version, such as `v0.28.1`.

    Raises:
        StackError: The module's `go.mod` is missing or does not pin it.
    """
    path = module_directory(binary, configuration) / "go.mod"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StackError(f"cannot read {path}: {error.strerror}") from error
    found = re.search(rf"^\s*(?:require )?{re.escape(binary.pinned_by)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise StackError(f"{path} does not require {binary.pinned_by}")
    return found[1]


def cached(binary: Binary, configuration: Path) -> Path:
    """Return where the binary lies once built, whether it does or not.

    The folder is named by version and by a hash of everything it is built from, so that a changed component or
    dependency makes another one.

    Raises:
        StackError: The module's `go.mod` is missing or does not pin the version.
    """
    number = version(binary, configuration)
    digest = hashlib.sha256()
    for path in sorted(module_directory(binary, configuration).iterdir()):
        if path.suffix in {".go", ".mod", ".sum"}:
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return cache_directory() / binary.name / f"{number}-{digest.hexdigest()[:8]}" / binary.name
