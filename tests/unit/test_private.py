"""Files and directories for their owner alone, and what has their names already."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ocr_otel.private import private_directory, private_file, private_opener, write_private


@pytest.fixture(autouse=True, params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_new_directories_are_private_and_those_that_were_there_keep_their_modes(tmp_path: Path) -> None:
    shared = tmp_path / "runs"
    shared.mkdir()
    shared.chmod(0o755)
    made = private_directory(shared / "run" / "rank-1")
    assert (mode(made), mode(made.parent), mode(shared)) == (0o700, 0o700, 0o755)
    assert private_directory(shared) == shared
    assert mode(shared) == 0o755


def test_a_directory_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    for path in (tmp_path / "run", tmp_path / "run" / "rank-1"):
        with pytest.raises(NotADirectoryError):
            private_directory(path)


def test_files_are_private(tmp_path: Path) -> None:
    write_private(tmp_path / "text", "ä\n")
    write_private(tmp_path / "bytes", b"\0")
    with open(tmp_path / "opened", "w", opener=private_opener) as file:
        file.write("x")
    appended = private_file(tmp_path / "appended")
    appended.write_text("what the exporters wrote")
    private_file(appended)
    assert (tmp_path / "text").read_text(encoding="utf-8") == "ä\n"
    assert appended.read_text() == "what the exporters wrote"
    assert {mode(path) for path in tmp_path.iterdir()} == {0o600}


def test_links_are_replaced_or_refused_and_never_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(outside)
    with pytest.raises(OSError, match="symbolic links"):
        private_file(link)
    with pytest.raises(OSError, match="symbolic links"), open(link, "w", opener=private_opener):
        pass
    write_private(link, "ours")
    assert not link.is_symlink()
    assert (outside.read_text(), link.read_text()) == ("precious", "ours")


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_private(tmp_path / "taken", "x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
