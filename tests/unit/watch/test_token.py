"""The token of a user's live pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.profiling.control import places
from ocr_otel.watch.token import token


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's private directory."""
    directory = tmp_path / "ocr_otel-1"
    monkeypatch.setattr(places, "directories", lambda: [directory])
    return directory


def test_token_is_kept_for_its_owner_alone(place: Path) -> None:
    first = token()
    assert token() == first
    assert (place / "watch.token").stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("content", [b"", b"short", b"\xff" * 32, b"a" * 5000, b"a b" * 10 + b"aa"])
def test_damaged_one_is_replaced(place: Path, content: bytes) -> None:
    place.mkdir(mode=0o700)
    (place / "watch.token").write_bytes(content)
    found = token()
    assert len(found) == 32
    assert token() == found


def test_one_that_somebody_linked_is_not_followed(place: Path, tmp_path: Path) -> None:
    place.mkdir(mode=0o700)
    (tmp_path / "known").write_text("k" * 32)
    (place / "watch.token").symlink_to(tmp_path / "known")
    assert token() != "k" * 32


def test_directory_that_others_may_write_is_not_used(place: Path) -> None:
    place.mkdir(mode=0o700)
    place.chmod(0o777)
    assert token() != token(), "one for each process, kept nowhere"
    assert list(place.iterdir()) == []
