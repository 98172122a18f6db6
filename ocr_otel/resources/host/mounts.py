"""Which file system a path lies on, found without touching one that may hang."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Values of `kind` of `training.filesystem.paths`."""

    DISK = "disk"
    NETWORK = "network"
    FUSE = "fuse"
    OVERLAY = "overlay"
    MEMORY = "memory"
    OTHER = "other"


_KINDS: Final = {
    **dict.fromkeys(
        ("nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "lustre", "gpfs", "beegfs", "9p", "afs", "ocfs2", "gfs2",
         "pvfs2", "orangefs", "wekafs", "autofs"),
        Kind.NETWORK,
    ),
    **dict.fromkeys(("fuse", "virtiofs"), Kind.FUSE),
    **dict.fromkeys(("overlay", "aufs"), Kind.OVERLAY),
    **dict.fromkeys(("tmpfs", "ramfs", "hugetlbfs", "devtmpfs"), Kind.MEMORY),
}  # fmt: skip
_OCTAL: Final = re.compile(r"\\([0-7]{3})")
_MAX_LINKS: Final = 40
"""As many symbolic links as the kernel follows."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A line of `/proc/<pid>/mountinfo`.

    Attributes:
        device: `major:minor`; the major number is 0 where no single device is behind it.
        root: What of the file system is mounted.
        point: Where it is mounted.
        type: Type of the file system.
        source: What is mounted: a device, a server's export, or just a word.
        options: Options of the file system.
    """

    device: str
    root: str
    point: str
    type: str
    source: str
    options: str

    @property
    def kind(self) -> Kind:
        """What is behind it, as far as the type tells."""
        if self.type.startswith("fuse."):
            return Kind.FUSE
        return _KINDS.get(self.type, Kind.OTHER if self.device.startswith("0:") else Kind.DISK)

    @property
    def may_hang(self) -> bool:
        """Whether a system call on a path in it may never return."""
        return self.kind in (Kind.NETWORK, Kind.FUSE)


def parse_mounts(content: bytes) -> list[Mount]:
    """Return the mounts of `mountinfo`, in its order; later ones hide earlier ones at the same point."""
    found = []
    for line in content.decode(errors="surrogateescape").splitlines():
        before, dash, after = line.partition(" - ")
        left, right = before.split(" "), after.split(" ")
        if dash and len(left) >= 6 and len(right) >= 3:
            found.append(Mount(left[2], _plain(left[3]), _plain(left[4]), right[0], _plain(right[1]), right[2]))
    return found


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that an absolute path without symbolic links lies in."""
    best: Mount | None = None
    for mount in mounts:
        inside = mount.point == "/" or path == mount.point or path.startswith(mount.point + "/")
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    return best


def resolve(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that a path lies in, symbolic links followed, what is not there yet taken as it is written.

    `os.path.realpath` and `os.stat` would ask each file system on the way, and hang with one that does; here a
    network or FUSE file system ends the search before it is asked.
    """
    waiting = os.path.abspath(path).split("/")[:0:-1]
    at, links = "", 0
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = at.rpartition("/")[0]
            continue
        step = f"{at}/{name}"
        mount = mount_of(step, mounts)
        if mount is not None and mount.may_hang:
            return mount
        try:
            target = os.readlink(step)
        except OSError:
            at = step
            continue
        links += 1
        if links > _MAX_LINKS:
            return None
        at = "" if target.startswith("/") else at
        waiting.extend(target.split("/")[::-1])
    return mount_of(at or "/", mounts)


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)
