"""Figures of an epoch that ranks leave for rank 0, over a real store."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from torch.distributed import PrefixStore, TCPStore

from ocr_otel.ranks import Board, EpochFigures
from ocr_otel.ranks import epoch_figures as module


@pytest.fixture
def boards() -> Iterator[list[Board]]:
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    yield [Board(PrefixStore("group", store.clone())) for _ in range(3)]
    # Until here the store is there.
    del store


def test_rank_0_gets_the_figures_of_all(boards: list[Board]) -> None:
    ranks = [EpochFigures(board, rank, 3) for rank, board in enumerate(boards)]
    for epoch in range(20):
        assert ranks[2].bring_together((0, epoch), {"a": 2.0}) == []
        late = threading.Timer(0.05, lambda epoch=epoch: ranks[1].bring_together((0, epoch), {"a": 1.0 + epoch}))
        late.start()
        found = ranks[0].bring_together((0, epoch), {"a": 0.0})
        late.join()
        assert sorted(each["a"] for each in found) == sorted([0.0, 1.0 + epoch, 2.0])


def test_a_rank_that_is_not_there_is_waited_for_once_and_taken_again_when_it_is(boards: list[Board]) -> None:
    ranks = [EpochFigures(board, rank, 2) for rank, board in enumerate(boards[:2])]
    assert ranks[0].bring_together((0, 0), {"a": 0.0}) == [{"a": 0.0}]
    began = time.monotonic()
    assert ranks[0].bring_together((0, 1), {"a": 0.0}) == [{"a": 0.0}]
    assert time.monotonic() - began < module.LAST_FIGURES_WAIT / 2
    ranks[1].bring_together((0, 2), {"a": 1.0})
    assert len(ranks[0].bring_together((0, 2), {"a": 0.0})) == 2


@pytest.mark.parametrize("note", [b"", b"no json", b"[[0, 0], {}, 1]", b'[[0, 1], {"a": 1}]', b'[[0, 0], {"a": "x"}]'])
def test_a_note_of_something_else_is_none(boards: list[Board], note: bytes) -> None:
    boards[1].leave("figures/1/0", note)
    assert EpochFigures(boards[0], 0, 2).bring_together((0, 0), {"a": 0.0}) == [{"a": 0.0}]


def test_a_store_that_is_gone_leaves_its_own() -> None:
    class Gone:
        def check(self, keys: list[str]) -> bool:
            raise RuntimeError("connection reset")

        def set(self, key: str, value: bytes) -> None:
            raise RuntimeError("connection reset")

    board = Board(Gone())  # type: ignore[arg-type]
    assert EpochFigures(board, 0, 2).bring_together((0, 0), {"a": 0.0}) == [{"a": 0.0}]
    assert EpochFigures(board, 1, 2).bring_together((0, 0), {"a": 0.0}) == []
