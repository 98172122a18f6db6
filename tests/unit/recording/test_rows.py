"""Rows made of the journal, and what they add up to."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ocr_otel.recording import journal, rows
from ocr_otel.recording.journal import EXIT, Journal
from ocr_otel.recording.rows import Integers
from ocr_otel.recording.summaries import Totals, phase_nanoseconds
from ocr_otel.semconv import Phase
from tests.support.journals import current

SAMPLES_ASKED = 4


def timing(samples: int = SAMPLES_ASKED) -> tuple[int, int, int, int, int, int, None, None]:
    return (0, 1, 10, 20, 30, samples, None, None, 0)


class Script:
    """Writes a journal at invented times."""

    def __init__(self) -> None:
        self.journal = Journal()
        self.codes = {part: self.journal.identify(part, "") for part in range(journal.PARTS)}
        self.codes[journal.CALLBACKS] = self.journal.identify(journal.CALLBACKS, "Callback")
        self.now = 1000

    def write(self, code: int, after: int = 0) -> None:
        self.now += after
        self.journal.write(self.now, code)

    def spend(self, part: int, nanoseconds: int) -> None:
        self.write(self.codes[part])
        self.write(self.codes[part] | EXIT, nanoseconds)

    def batch(self, counted: int | None = None) -> None:
        self.write(journal.ROW_FETCH)
        self.write(self.codes[journal.FETCH] | EXIT, 10)
        self.journal.arrived += [timing(), None]
        if counted is None:
            self.write(journal.BATCH)
        else:
            self.journal.samples.append(counted)
            self.write(journal.COUNTED)
        self.spend(journal.FORWARD, 30)
        self.now += 5


def test_a_batch_is_a_row_and_the_one_that_runs_is_not_yet() -> None:
    script = Script()
    for _ in range(3):
        script.batch()
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.batches[:, rows.DURATION].tolist() == [45, 45]
    assert taken.batches[:, rows.START].tolist() == [1000, 1045]
    assert taken.batches[0, rows.PARTS :].tolist() == [10, 0, 30, 0, 0, 0, 0, 0]
    assert taken.workers == [[timing()], [timing()]]
    assert rows.take(script.journal) is None
    script.write(journal.ROW)
    rest = rows.take(script.journal)
    assert rest is not None
    assert rest.batches[:, rows.START].tolist() == [1090]


def test_samples_are_those_counted_or_those_that_the_dataloader_was_asked_for() -> None:
    script = Script()
    for counted in (SAMPLES_ASKED, None, SAMPLES_ASKED, None):
        script.batch(counted)
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.agree is True
    assert taken.batches[:, rows.SAMPLES].tolist() == [4, 4, 4, 4]
    script.batch(9)
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.agree is False
    assert taken.batches[:, rows.SAMPLES].tolist() == [9]
    assert len(script.journal.samples) == 0


def test_without_knowledge_of_the_dataloader_counts_agree_with_nothing() -> None:
    script = Script()
    script.batch(SAMPLES_ASKED)
    script.journal.arrived.clear()
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.agree is False
    assert taken.batches[:, rows.SAMPLES].tolist() == [4]


def test_samples_that_a_batch_does_not_tell_are_those_of_its_dataloader() -> None:
    script = Script()
    for _ in range(2):
        script.batch(journal.UNKNOWN_SAMPLES)
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.agree is True
    assert taken.batches[:, rows.SAMPLES].tolist() == [4, 4]
    script.batch(journal.UNKNOWN_SAMPLES)
    script.journal.arrived.clear()
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.batches[:, rows.SAMPLES].tolist() == [1]


def test_an_end_of_data_takes_nothing_of_what_comes_then() -> None:
    script = Script()
    script.batch()
    script.write(journal.ROW_FETCH)
    script.write(script.codes[journal.FETCH] | EXIT, 10)
    script.journal.arrived.append(None)
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert len(taken.workers) == len(taken.batches) == 1


def test_callbacks_between_batches_are_told_apart() -> None:
    script = Script()
    script.batch()
    script.write(journal.ROW)
    script.spend(journal.CALLBACKS, 70)
    script.write(journal.ROW_FETCH)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.between == 70
    assert len(taken.batches) == 1
    assert taken.own[script.codes[journal.CALLBACKS]] == 70


def test_a_context_that_was_open_when_its_row_began_ends_in_it() -> None:
    script = Script()
    script.write(journal.ROW)
    script.write(script.codes[journal.CALLBACKS])
    script.write(journal.ROW, 10)
    script.write(script.codes[journal.CALLBACKS] | EXIT, 20)
    script.write(journal.BATCH)
    script.spend(journal.FORWARD, 30)
    script.write(journal.ROW, 5)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.batches[0, rows.PARTS :].tolist() == [0, 0, 30, 0, 0, 0, 0, 0]
    assert taken.between == 10


def test_a_batch_is_told_in_detail_by_the_time_of_its_end() -> None:
    script = Script()
    ends = []
    for number in range(6):
        script.batch(counted=number)
        script.journal.arrived[-2] = (number, *timing()[1:])
        ends.append(script.now)
    script.write(journal.ROW)
    script.spend(journal.CALLBACKS, 10)
    script.write(journal.ROW)
    taken = rows.take(script.journal, [ends[1], ends[4], script.now, script.now + 1])
    assert taken is not None
    assert taken.end == script.now
    # The third is the end of a row that is no batch, the fourth of none.
    assert [(detail.number, detail.end, detail.samples) for detail in taken.details] == [
        (1, ends[1], 1),
        (4, ends[4], 4),
    ]
    assert [detail.workers[0][0] for detail in taken.details] == [1, 4]
    for detail in taken.details:
        assert [part for part, _, _ in detail.row.intervals] == [journal.FETCH, journal.FORWARD]
        assert taken.batches[detail.number, rows.PARTS :].tolist() == detail.row.parts


@pytest.mark.parametrize("seed", range(20))
def test_many_rows_at_once_are_what_each_is_alone(seed: int) -> None:
    """The vectorised reading agrees with the plain one of the row that runs, for any nesting."""
    chance = random.Random(seed)
    script = Script()
    expected: list[list[int]] = []

    def nest(depth: int) -> None:
        for _ in range(chance.randrange(4)):
            part = chance.randrange(journal.PARTS)
            script.write(script.codes[part], chance.randrange(50))
            if depth:
                nest(depth - 1)
            script.write(script.codes[part] | EXIT, chance.randrange(50))

    for _ in range(30):
        if chance.random() < 0.5:
            script.write(journal.ROW_FETCH)
            script.write(script.codes[journal.FETCH] | EXIT, chance.randrange(50))
        else:
            script.write(journal.ROW)
        if is_batch := chance.random() < 0.8:
            script.write(journal.BATCH, chance.randrange(9))
        nest(3)
        script.now += chance.randrange(50)
        row = current(script.journal, script.now)
        assert bool(row.mark) is is_batch
        if is_batch:
            expected.append([row.start, script.now - row.start, *row.parts])
    script.write(journal.ROW)
    taken = rows.take(script.journal)
    assert taken is not None
    assert taken.batches[:, rows.START :].tolist() == expected


def made(durations: list[int], parts: list[int]) -> Integers:
    return np.array([[8, 0, duration, *parts] for duration in durations], dtype=np.int64)


def test_what_the_phases_leave_is_lightnings_loop() -> None:
    phases = phase_nanoseconds(made([100], [10, 20, 30, 0, 0, 5, 15, 0]))
    assert phases[Phase.FORWARD].tolist() == [30]
    assert phases[Phase.LOOP].tolist() == [20]


def test_percentiles_are_within_one_percent() -> None:
    durations = np.random.default_rng(1).lognormal(np.log(0.05), 0.7, 5_000)
    totals = Totals()
    for start in range(0, len(durations), 1000):
        some = made([int(seconds * 1e9) for seconds in durations[start : start + 1000]], [0] * journal.PARTS)
        totals.add(some, phase_nanoseconds(some))
    for share in (0.5, 0.95, 0.99):
        assert totals.percentile(share) == pytest.approx(np.quantile(durations, share), rel=0.015)
    assert totals.batches == 5_000
    assert totals.samples == 40_000
    assert totals.longest / 1e9 == pytest.approx(durations.max(), rel=1e-6)
