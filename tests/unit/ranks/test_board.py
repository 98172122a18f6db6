"""Notes in a real store: nobody waits for one that is not there."""

from __future__ import annotations

import threading
import time

import pytest
from torch.distributed import HashStore, TCPStore

from ocr_otel.ranks import Board, board_of_job, board_of_process_group
from ocr_otel.ranks import board as board_module


@pytest.fixture
def board() -> Board:
    return Board(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))


def test_a_note_is_read_by_its_name(board: Board) -> None:
    board.leave("a", b"one")
    board.leave("a", b"two")
    assert board.read("a") == b"two"
    assert board.read("b") is None
    assert board.read_all(["a", "b", "a"]) == [b"two", None, b"two"]
    assert board.read_all([]) == []


def test_the_first_who_claims_a_name_has_it(board: Board) -> None:
    assert board.claim("run", "first") == "first"
    assert board.claim("run", "second") == "first"
    assert board.read("run") == b"first"


def test_waiting_ends_with_the_note_or_with_the_time(board: Board) -> None:
    began = time.monotonic()
    assert board.wait_for("late", 0.1) is None
    assert 0.1 <= time.monotonic() - began < 2
    threading.Timer(0.1, lambda: board.leave("late", b"here")).start()
    assert board.wait_for("late", 10) == b"here"
    assert time.monotonic() - began < 5


def test_without_a_process_group_there_is_none() -> None:
    assert board_of_process_group() is None
    assert board_of_job() is None


def test_attempts_of_a_job_leave_their_notes_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    store = HashStore()
    monkeypatch.setattr(board_module, "_store", lambda: store)
    for attempt, name in enumerate(("first", "second")):
        monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", str(attempt))
        board = board_of_process_group()
        assert board is not None
        assert board.claim("run", name) == name
