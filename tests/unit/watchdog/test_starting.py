"""Where there can be no watchdog, the training is told why and goes on."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ocr_otel.watchdog import starting
from ocr_otel.watchdog.places import remove
from tests.support.watchdog_training import header
from tests.support.watchdog_watching import wait_for, watchdog_pids, watched


@contextmanager
def no_more_files() -> Iterator[None]:
    """No further file can be opened."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open("/dev/null", os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def open_files() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def test_without_file_descriptors_there_is_none(tmp_path: Path) -> None:
    said: list[str] = []
    with no_more_files():
        assert starting.start(tmp_path, header(), said.append) is None
    assert len(said) == 1
    assert "Too many open files" in said[0]


def test_where_nothing_can_be_written_there_is_none_and_nothing_stays_open(tmp_path: Path) -> None:
    said: list[str] = []
    before = open_files()
    assert starting.start(tmp_path / "not" / "there", header(), said.append) is None
    (tmp_path / "file").touch()
    assert starting.start(tmp_path / "file", header(), said.append) is None
    assert len(said) == 2
    assert open_files() == before


def test_a_header_that_is_no_json_takes_everything_back(tmp_path: Path) -> None:
    said: list[str] = []
    before = open_files()
    assert starting.start(tmp_path, {"run_id": object()}, said.append) is None
    assert "JSON" in said[0]
    assert open_files() == before
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["memfd_create", "pidfd_open"])
def test_another_system_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    said: list[str] = []
    monkeypatch.delattr(os, name)
    assert starting.start(tmp_path, header(), said.append) is None
    assert "Linux" in said[0]


@pytest.mark.parametrize("interpreter", ["", "/not/there/python", "/bin/false"])
def test_without_an_interpreter_what_is_open_is_at_least_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interpreter: str
) -> None:
    said: list[str] = []
    monkeypatch.setattr(sys, "executable", interpreter)
    watchdog = starting.start(tmp_path, header(), said.append)
    if not interpreter:
        assert watchdog is None
        assert len(said) == 1
        return
    assert watchdog is not None
    wait_for(lambda: said)
    watchdog.journal.note({"spanId": "a"})
    assert (watchdog.directory / "journal").stat().st_size > 0
    watchdog.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_clean_end_gives_back_all_it_took(tmp_path: Path) -> None:
    said: list[str] = []
    before = open_files()
    watchdog = starting.start(tmp_path, header(), said.append)
    assert watchdog is not None
    wait_for(lambda: watched(watchdog.directory))
    watchdog.finish()
    watchdog.finish()
    wait_for(lambda: not watchdog_pids(watchdog.directory))
    assert said == []
    # The cells stay: the batch path may still write into them.
    assert len(open_files() - before) <= 1
    assert list(tmp_path.iterdir()) == []


def test_an_end_at_once_waits_for_the_start(tmp_path: Path) -> None:
    for _ in range(5):
        watchdog = starting.start(tmp_path, header(), pytest.fail)
        assert watchdog is not None
        watchdog.finish()
        wait_for(lambda directory=watchdog.directory: not watchdog_pids(directory))
        assert list(tmp_path.iterdir()) == []


def test_a_forked_child_neither_ends_nor_writes_what_is_its_parents(tmp_path: Path) -> None:
    watchdog = starting.start(tmp_path, header(), pytest.fail)
    assert watchdog is not None
    content = (watchdog.directory / "journal").read_bytes()
    child = os.fork()
    if child == 0:
        watchdog.journal.note({"spanId": "a"})
        watchdog.finish()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert (watchdog.directory / "journal").read_bytes() == content
    watchdog.finish()
    remove(watchdog.directory)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_replaced_itself_gets_a_place_of_its_own(tmp_path: Path) -> None:
    first = starting.start(tmp_path, header(), pytest.fail)
    second = starting.start(tmp_path, header(), pytest.fail)
    assert first is not None
    assert second is not None
    assert first.directory != second.directory
    first.finish()
    second.finish()
    assert list(tmp_path.iterdir()) == []


def test_one_after_another_in_one_process_do_not_disturb_each_other(tmp_path: Path) -> None:
    for _ in range(3):
        watchdog = starting.start(tmp_path, header(), pytest.fail)
        assert watchdog is not None
        wait_for(lambda directory=watchdog.directory: watched(directory))
        watchdog.finish()
    assert list(tmp_path.iterdir()) == []
