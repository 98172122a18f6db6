"""The token of this user's live pages: kept until the machine boots, so that an open page survives a new server."""

from __future__ import annotations

import contextlib
import re
import secrets
from pathlib import Path
from typing import Final

from ocr_otel.private import private_opener, write_private
from ocr_otel.profiling.control import places

_FILE: Final = "watch.token"
_BYTES: Final = 24
_FORM: Final = re.compile(r"[A-Za-z0-9_-]{32}")


def token() -> str:
    """Return the token; one that nobody else can read, or one for this process alone where there is no place for it."""
    for directory in places.directories():
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            places.check_private(directory)
            return _kept(directory / _FILE)
        except OSError:
            continue
    return secrets.token_urlsafe(_BYTES)


def _kept(path: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        with open(path, encoding="ascii", errors="replace", opener=private_opener) as file:
            text = file.read(_BYTES * 2)
        if _FORM.fullmatch(text):
            return text
    made = secrets.token_urlsafe(_BYTES)
    write_private(path, made)
    return made
