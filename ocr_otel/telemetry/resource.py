"""What this process is, as an OpenTelemetry resource: host, process, service, rank, Lightning, torch, Git commit."""

from __future__ import annotations

import os
import socket
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.resources import (
    HOST_ARCH,
    HOST_NAME,
    PROCESS_COMMAND,
    PROCESS_COMMAND_ARGS,
    PROCESS_COMMAND_LINE,
    SERVICE_NAME,
    OsResourceDetector,
    OTELResourceDetector,
    ProcessResourceDetector,
    Resource,
)

from ocr_otel import semconv

if TYPE_CHECKING:
    from ocr_otel.telemetry.session import RunIdentity

DEFAULT_SERVICE_NAME: Final = "ocr-training"
_PRIVATE: Final = (PROCESS_COMMAND, PROCESS_COMMAND_ARGS, PROCESS_COMMAND_LINE, "process.executable.path")
"""A command line holds tokens, host names and paths: it never leaves."""


def describe_process(identity: RunIdentity) -> Resource:
    """Return the resource of this process; what the user names in `OTEL_RESOURCE_ATTRIBUTES` goes before ours."""
    found = ProcessResourceDetector().detect().merge(OsResourceDetector().detect())
    attributes: dict[str, Any] = {key: value for key, value in found.attributes.items() if key not in _PRIVATE}
    attributes |= {
        HOST_NAME: socket.gethostname(),
        HOST_ARCH: os.uname().machine,
        SERVICE_NAME: DEFAULT_SERVICE_NAME,
        semconv.RUN_ID: identity.run_id,
        semconv.RANK: identity.rank,
        semconv.LOCAL_RANK: identity.local_rank,
        semconv.WORLD_SIZE: identity.world_size,
        **_torch_facts(),
    }
    if (lightning := _version("lightning") or _version("pytorch-lightning")) is not None:
        attributes[semconv.LIGHTNING_VERSION] = lightning
    if (revision := _git_revision(Path.cwd())) is not None:
        attributes[semconv.VCS_REVISION] = revision
    return Resource.create(attributes).merge(OTELResourceDetector().detect())


def _torch_facts() -> dict[str, Any]:
    import torch

    facts: dict[str, Any] = {semconv.TORCH_VERSION: torch.__version__}
    if torch.version.cuda:
        facts[semconv.CUDA_VERSION] = torch.version.cuda
    # Asking for a device's name makes a CUDA context: only where Lightning has made one already.
    if torch.cuda.is_initialized():
        facts[semconv.DEVICE_COUNT] = torch.cuda.device_count()
        facts[semconv.DEVICE_NAME] = torch.cuda.get_device_name()
    return facts


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _git_revision(directory: Path) -> str | None:
    """Read the commit from the files of `.git`: a `git` process would cost more than all the rest."""
    for candidate in (directory, *directory.parents):
        git = candidate / ".git"
        if not git.is_dir():
            continue
        try:
            head = (git / "HEAD").read_text(encoding="ascii").strip()
            if not head.startswith("ref: "):
                return head
            reference = git / head[5:]
            if reference.is_file():
                return reference.read_text(encoding="ascii").strip()
            packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
            return next((line.split()[0] for line in packed if line.endswith(f" {head[5:]}")), None)
        except (OSError, UnicodeDecodeError):
            return None
    return None
