"""Reports and answers: read as they were written, and nothing made of anything else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr_otel.ranks.notes import MAX_SYNCHRONISATIONS, Answer, Report, read_answer, read_report
from ocr_otel.semconv import Phase


def report(number: int = 3, syncs: int = 5, first: int = 10) -> Report:
    return Report(
        number=number,
        loop=(0, 2),
        over=False,
        host="one",
        batches=7,
        phases={Phase.FETCH: 0.5, Phase.COMMUNICATION: 0.1},
        first=first,
        waits=np.arange(syncs) * 1000,
        left=np.arange(syncs) + 1_700_000_000_000_000_000,
    )


def test_a_report_is_read_as_it_was_written() -> None:
    found = read_report(report().encode())
    assert found is not None
    assert (found.number, found.loop, found.over, found.host) == (3, (0, 2), False, "one")
    assert (found.batches, found.phases, found.first) == (7, report().phases, 10)
    assert found.waits.tolist() == report().waits.tolist()
    assert found.left.tolist() == report().left.tolist()


def test_of_very_many_synchronisations_the_last_are_told() -> None:
    found = read_report(report(syncs=MAX_SYNCHRONISATIONS + 3).encode())
    assert found is not None
    assert found.first == 13
    assert len(found.waits) == MAX_SYNCHRONISATIONS
    assert found.waits[0] == 3000


@pytest.mark.parametrize("answer", [Answer(0.02, 4), Answer(0.0, 0, -3.25, 0.001)])
def test_an_answer_is_read_as_it_was_written(answer: Answer) -> None:
    assert read_answer(answer.encode()) == answer


@given(st.binary(max_size=200))
def test_nothing_is_made_of_foreign_bytes(note: bytes) -> None:
    assert read_report(note) is None
    assert read_answer(note) is None


@given(st.integers(0, 1000))
def test_a_report_that_is_cut_is_none(cut: int) -> None:
    whole = report().encode()
    if cut < len(whole):
        assert read_report(whole[:cut]) is None


@pytest.mark.parametrize(
    "note",
    [b'{"number": 1, "count": 0}\n', b'{"count": -1}\n', b"[1, 2]\n", b"null\n", b'{"count": "x"}\n'],
)
def test_a_report_of_another_form_is_none(note: bytes) -> None:
    assert read_report(note) is None


def test_a_phase_of_another_version_is_none() -> None:
    assert read_report(report().encode().replace(b'"fetch"', b'"fetsh"')) is None
