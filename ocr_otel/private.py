"""Files and directories that only their owner may read, with the standard library alone.

What lies in a run directory may have come from somebody else, with links in the place of files. Whatever is written
there is written to a file of that name and never through a link.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600


def private_directory(path: Path) -> Path:
    """Make a directory for its owner alone, and those above it that are missing; what is there keeps its modes.

    Returns:
        The path.

    Raises:
        OSError: It cannot be made, or is something else than a directory.
    """
    if not path.is_dir():
        if not path.parent.is_dir():
            private_directory(path.parent)
        # Not by `parents=True`: it makes those above with the mode of the umask.
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=DIRECTORY_MODE)
        if not path.is_dir():
            raise NotADirectoryError(f"{path} is not a directory")
    return path


def private_opener(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=private_opener)`: a new one is for its owner alone, and no link is followed."""
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, FILE_MODE)


def private_file(path: Path) -> Path:
    """Make sure that a file is there that its owner alone may read, for others to append to.

    Returns:
        The path.

    Raises:
        OSError: It cannot be made, or is a link.
    """
    os.close(private_opener(str(path), os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    return path


def write_private(path: Path, content: str | bytes, errors: str = "strict") -> None:
    """Write a file for its owner alone, whole or not at all; what has its name is replaced, also where it is a link.

    Args:
        path: The file.
        content: Its text, which is written in UTF-8, or its bytes.
        errors: What becomes of characters that UTF-8 does not have; see `str.encode`.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    data = content.encode("utf-8", errors) if isinstance(content, str) else content
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        with open(fresh, "xb", opener=private_opener) as file:
            file.write(data)
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
