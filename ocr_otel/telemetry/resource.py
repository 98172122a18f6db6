"""What this process is, as an OpenTelemetry resource: host, process, service, rank, Lightning, torch, Git commit."""

from __future__ import annotations

import os
import re
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
    Attributes,
    OsResourceDetector,
    OTELResourceDetector,
    ProcessResourceDetector,
    Resource,
)

from ocr_otel import semconv
from ocr_otel.redaction import redact_attributes

if TYPE_CHECKING:
    from ocr_otel.telemetry.identity import RunIdentity

DEFAULT_SERVICE_NAME: Final = "ocr-training"
_PRIVATE: Final = (PROCESS_COMMAND, PROCESS_COMMAND_ARGS, PROCESS_COMMAND_LINE, "process.executable.path")
"""A command line holds tokens, host names and paths: it never leaves, whichever detector the environment names."""
_REVISION: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def describe_process(identity: RunIdentity) -> Resource:
    """Return the resource of this process, without secrets.

    What the user names in `OTEL_RESOURCE_ATTRIBUTES` goes before ours.
    """
    found = ProcessResourceDetector().detect().merge(OsResourceDetector().detect())
    attributes: dict[str, Any] = {
        **found.attributes,
        HOST_NAME: socket.gethostname(),
        HOST_ARCH: os.uname().machine,
        SERVICE_NAME: DEFAULT_SERVICE_NAME,
        semconv.RUN_ID: identity.run_id,
        semconv.RANK: identity.rank,
        semconv.LOCAL_RANK: identity.local_rank,
        semconv.WORLD_SIZE: identity.world_size,
        **_launch_facts(identity),
        **_torch_facts(),
    }
    if (lightning := _version("lightning") or _version("pytorch-lightning")) is not None:
        attributes[semconv.LIGHTNING_VERSION] = lightning
    if (revision := _git_revision(Path.cwd())) is not None:
        attributes[semconv.VCS_REVISION] = revision
    told = Resource.create(attributes).merge(OTELResourceDetector().detect())
    public = {name: value for name, value in told.attributes.items() if name not in _PRIVATE}
    return _HashedOnce(redact_attributes(public), told.schema_url)


class _HashedOnce(Resource):
    """The SDK's encoders put each span to its resource by the hash of it, which the SDK makes from the resource's JSON
    text each time: three quarters of what a span takes to encode."""

    def __init__(self, attributes: Attributes, schema_url: str | None) -> None:
        super().__init__(attributes, schema_url)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash


def _launch_facts(identity: RunIdentity) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if identity.world_size > 1:
        facts[semconv.NODE_RANK] = identity.node_rank
    if identity.strategy:
        facts[semconv.STRATEGY] = identity.strategy
    if identity.job_id is not None:
        facts[semconv.JOB_ID] = identity.job_id
    if identity.attempt is not None:
        facts[semconv.ATTEMPT] = identity.attempt
    return facts


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
            found = _read_revision(git)
        except (OSError, UnicodeDecodeError):
            return None
        # A directory that somebody else made may name any file as its reference.
        return found if found is not None and _REVISION.fullmatch(found) else None
    return None


def _read_revision(git: Path) -> str | None:
    head = (git / "HEAD").read_text(encoding="ascii").strip()
    if not head.startswith("ref: "):
        return head
    reference = git / head[5:]
    if reference.is_file():
        return reference.read_text(encoding="ascii").strip()
    packed = (git / "packed-refs").read_text(encoding="ascii").splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {head[5:]}")), None)
