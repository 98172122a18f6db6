"""I/O that the kernel adds to a parent when a child has been waited for is not counted twice, in whatever order."""

from __future__ import annotations

from ocr_otel.resources.host.attribution import FIELDS, Account, Key, Tracked, settle
from ocr_otel.resources.host.counts import GROWING, Counts
from ocr_otel.semconv import ProcessRole

MAIN, WORKER = Key(ProcessRole.MAIN), Key(ProcessRole.WORKER, 0)
READ = GROWING + 2


def counts(read: float, parent: int = 1, io: bool = True) -> Counts:
    growing = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    return Counts(7, parent, False, growing + ((read,) * 6 if io else ()), 1, 1, 1)


def tracked(pid: int, key: Key | None, read: float, parent: int = 1, born: bool = False) -> Tracked:
    each = Tracked(pid, counts(read, parent), 0.0, born)
    each.key = key
    return each


def test_a_child_that_was_waited_for_is_taken_off_its_parent() -> None:
    main, worker = tracked(10, MAIN, 1000), tracked(11, WORKER, 0, parent=10, born=True)
    accounts: dict[Key, Account] = {}
    worker.advance(counts(500, 10))
    settle({10: main, 11: worker}, [], accounts)
    main.advance(counts(1000 + 40 + 500))
    settle({10: main}, [worker], accounts)
    assert accounts[WORKER].totals[READ] == 500
    assert accounts[MAIN].totals[READ] == 40


def test_what_a_child_did_after_its_last_reading_stays_with_its_parent() -> None:
    main, worker = tracked(10, MAIN, 0), tracked(11, WORKER, 500, parent=10, born=True)
    accounts: dict[Key, Account] = {}
    settle({10: main, 11: worker}, [], accounts)
    main.advance(counts(530))
    settle({10: main}, [worker], accounts)
    assert accounts[WORKER].totals[READ] + accounts[MAIN].totals[READ] == 530


def test_a_child_that_ends_between_the_readings_of_parent_and_child_is_taken_off_later() -> None:
    main, worker = tracked(10, MAIN, 0), tracked(11, WORKER, 500, parent=10, born=True)
    accounts: dict[Key, Account] = {}
    settle({10: main, 11: worker}, [], accounts)
    main.advance(counts(3))
    settle({10: main}, [worker], accounts)
    assert accounts[MAIN].totals[READ] == 0
    main.advance(counts(3 + 500 + 4))
    settle({10: main}, [], accounts)
    assert accounts[MAIN].totals[READ] == 7


def test_what_nobody_knows_is_kept_until_somebody_does() -> None:
    worker = tracked(11, None, 100, born=True)
    accounts: dict[Key, Account] = {}
    settle({11: worker}, [], accounts)
    worker.advance(counts(250))
    settle({11: worker}, [], accounts)
    assert not accounts
    worker.key = WORKER
    worker.advance(counts(300))
    settle({11: worker}, [], accounts)
    assert accounts[WORKER].totals[READ] == 300


def test_another_rank_is_counted_nowhere_and_still_taken_off() -> None:
    main, rank = tracked(10, MAIN, 0), tracked(11, None, 900, parent=10, born=True)
    rank.other_rank = True
    accounts: dict[Key, Account] = {}
    settle({10: main, 11: rank}, [], accounts)
    main.advance(counts(900))
    settle({10: main}, [rank], accounts)
    assert accounts.keys() == {MAIN}
    assert accounts[MAIN].totals[READ] == 0


def test_io_that_becomes_unreadable_is_no_step() -> None:
    main = tracked(10, MAIN, 100)
    main.advance(counts(0, io=False))
    assert main.step == [0.0] * FIELDS
    main.advance(counts(700))
    assert main.step[READ] == 0
