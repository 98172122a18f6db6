"""Ranks that tell one another of a loop, over a real store, each in its own thread."""

from __future__ import annotations

import time

import pytest
from torch.distributed import PrefixStore, TCPStore

from ocr_otel import semconv
from ocr_otel.ranks import Board, Exchange, Figures, Told
from ocr_otel.ranks import exchange as exchange_module
from ocr_otel.semconv import Phase

MILLISECOND = 1_000_000
STEP = 100 * MILLISECOND


@pytest.fixture
def store() -> TCPStore:
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def board(store: TCPStore) -> Board:
    return Board(PrefixStore("group", store.clone()))


def told(batches: int = 0, offset: int = 0, **phases: float) -> Told:
    return Told(batches, {Phase(name): seconds for name, seconds in phases.items()}, offset)


def synchronise(exchange: Exchange, steps: range, wait: int, skew: int = 0) -> None:
    """Let a rank wait so many nanoseconds at each of some steps; all ranks leave a step at the same time."""
    for step in steps:
        left = (step + 1) * STEP + skew
        exchange.synchronisations.arrived.append(left - wait)
        exchange.synchronisations.left.append(left)


def end_together(exchanges: list[Exchange], tolds: list[Told]) -> list[dict[str, object]]:
    """End the loop on all ranks, the others before rank 0."""
    found: dict[int, dict[str, object]] = {}
    for rank in reversed(range(len(exchanges))):
        found[rank] = exchanges[rank].loop_ends(tolds[rank])
    return [found[rank] for rank in range(len(exchanges))]


def test_rank_0_names_the_one_that_waits_least(store: TCPStore) -> None:
    ranks = [Exchange(board(store), rank, 3, Figures()) for rank in range(3)]
    for rank, exchange in enumerate(ranks):
        exchange.loop_begins(0, 0)
        synchronise(exchange, range(20), 2 * MILLISECOND if rank == 2 else 40 * MILLISECOND)
    tolds = [told(20, forward=1.0), told(20, forward=1.0), told(20, forward=1.8)]
    first, second, third = end_together(ranks, tolds)
    assert first[semconv.RANKS_COMPARED] == 3
    assert first[semconv.SYNCHRONISATIONS] == 20
    assert first[semconv.STRAGGLER_RANK] == 2
    assert first[semconv.STRAGGLER_PHASE] == "forward"
    assert first[semconv.RANKS_DELAY] == pytest.approx([0, 0, 0.038])
    assert second == third == {}


def test_each_rank_learns_its_own_figures_while_it_trains(store: TCPStore) -> None:
    ranks = [Exchange(board(store), rank, 2, Figures()) for rank in range(2)]
    for exchange in ranks:
        exchange.loop_begins(0, 0)
    for begin in (0, 10, 20):
        for rank, exchange in enumerate(ranks):
            synchronise(exchange, range(begin, begin + 10), (50 if rank == 0 else 5) * MILLISECOND)
        for rank in (1, 0, 1):
            ranks[rank]._due = 0.0
            ranks[rank].beside(told(begin + 10))
    assert ranks[0]._figures.delay == 0.0
    assert ranks[0]._figures.last == 0
    assert ranks[1]._figures.delay == pytest.approx(0.045)
    assert ranks[1]._figures.last == 30
    assert ranks[1]._figures.clock is None


def test_steps_at_which_a_rank_was_last_add_up_over_loops(store: TCPStore) -> None:
    ranks = [Exchange(board(store), rank, 2, Figures()) for rank in range(2)]
    for loop in range(3):
        for rank, exchange in enumerate(ranks):
            exchange.loop_begins(0, loop)
            synchronise(exchange, range(10), (5 if rank == 0 else 50) * MILLISECOND)
        end_together(ranks, [told(10), told(10)])
    assert ranks[0]._figures.last == 30


def test_a_further_entry_is_not_taken_for_the_one_before(store: TCPStore) -> None:
    figures = [Figures(), Figures()]
    for entry in range(3):
        ranks = [Exchange(board(store), rank, 2, figures[rank]) for rank in range(2)]
        for loop in range(12):
            for rank, exchange in enumerate(ranks):
                exchange.loop_begins(entry, loop)
                synchronise(exchange, range(10), (5 if rank == 1 else 50) * MILLISECOND)
            first, _ = end_together(ranks, [told(10), told(10)])
            assert first[semconv.STRAGGLER_RANK] == 1, (entry, loop)
    assert (figures[0].last, figures[1].delay) == (0, pytest.approx(0.045))
    # What was compared at the end of a loop is learnt in the next one: of each entry, all loops but the last.
    assert figures[1].last == 3 * 11 * 10


def test_a_rank_that_says_nothing_is_waited_for_once_and_left_out(store: TCPStore) -> None:
    first, second = Exchange(board(store), 0, 3, Figures()), Exchange(board(store), 1, 3, Figures())
    took = []
    for loop in range(2):
        for exchange, wait in ((first, 30), (second, 1)):
            exchange.loop_begins(0, loop)
            synchronise(exchange, range(10), wait * MILLISECOND)
        second.loop_ends(told(10))
        began = time.monotonic()
        found = first.loop_ends(told(10))
        took.append(time.monotonic() - began)
        assert found[semconv.RANKS_COMPARED] == 2
        assert found[semconv.STRAGGLER_RANK] == 1
        assert found[semconv.RANKS_DELAY][2] == -1.0
    assert took[0] >= exchange_module.LAST_WAIT
    assert took[1] < exchange_module.LAST_WAIT


def test_what_another_version_leaves_is_left_alone(store: TCPStore) -> None:
    exchange = Exchange(board(store), 0, 2, Figures())
    exchange.loop_begins(0, 0)
    synchronise(exchange, range(10), MILLISECOND)
    board(store).leave("told/0/1/0", b"\x80\x04nonsense")
    assert exchange.loop_ends(told(10)) == {}


def test_a_report_that_was_missed_leaves_a_gap_and_no_confusion(store: TCPStore) -> None:
    first, second = Exchange(board(store), 0, 2, Figures()), Exchange(board(store), 1, 2, Figures())
    for exchange in (first, second):
        exchange.loop_begins(0, 0)
    for begin in range(0, 120, 10):
        # More reports than the store holds, before rank 0 reads the first.
        synchronise(second, range(begin, begin + 10), 3 * MILLISECOND)
        second._due = 0.0
        second.beside(told(begin + 10))
    synchronise(first, range(120), 33 * MILLISECOND)
    second.loop_ends(told(120))
    found = first.loop_ends(told(120))
    assert found[semconv.STRAGGLER_RANK] == 1
    assert 8 <= found[semconv.SYNCHRONISATIONS] <= 120
    assert found[semconv.RANKS_DELAY] == pytest.approx([0, 0.03])


def test_a_clock_that_is_ahead_is_seen_by_the_moment_of_leaving(
    store: TCPStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    ranks = []
    for rank, host in enumerate(("one", "two")):
        monkeypatch.setattr(exchange_module.socket, "gethostname", lambda host=host: host)
        ranks.append(Exchange(board(store), rank, 2, Figures()))
    for rank, exchange in enumerate(ranks):
        exchange.loop_begins(0, 0)
        # The monotonic clocks of two hosts have nothing to do with one another.
        synchronise(exchange, range(50), MILLISECOND, skew=rank * 12345 * STEP)
    offsets = [10**18, 10**18 + 3 * 10**9 - 12345 * STEP]
    for rank in (1, 0, 1):
        ranks[rank]._due = 0.0
        ranks[rank].beside(told(50, offsets[rank]))
    assert ranks[0]._figures.clock is None
    assert ranks[1]._figures.clock is not None
    ahead, error = ranks[1]._figures.clock
    assert ahead == pytest.approx(3.0, abs=0.001)
    assert error == pytest.approx(0.0, abs=0.001)
    assert ranks[1].loop_ends(told(50, offsets[1]))[semconv.CLOCK_OFFSET] == pytest.approx(3.0, abs=0.001)


def test_a_store_that_is_gone_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    class Gone:
        def set(self, key: str, value: bytes) -> None:
            raise RuntimeError("Connection reset by peer")

        get = check = compare_set = set

    exchange = Exchange(Board(Gone()), 1, 2, Figures())
    exchange.loop_begins(0, 0)
    assert exchange.loop_ends(told(1)) == {}
    assert "store of the process group is gone" not in " ".join(
        record.message for record in caplog.records if record.levelname == "WARNING"
    )
