"""Sockets that lie in a directory of the test's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_otel.profiling.control import places


@pytest.fixture
def sockets_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A short path, for that of a socket may have 107 bytes, in the place of `/tmp` and of TMPDIR."""
    with tempfile.TemporaryDirectory(prefix="ocr") as folder:
        monkeypatch.setattr(places, "SYSTEM_TEMPORARY", Path(folder))
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)
