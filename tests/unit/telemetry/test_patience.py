"""All who wait at the end of an entry spend the same seconds."""

from __future__ import annotations

import time

import pytest

from ocr_otel.telemetry.patience import Patience


def test_what_one_spends_the_next_has_not() -> None:
    patience = Patience(0.5)
    with patience.spending() as first:
        time.sleep(0.2)
    with patience.spending() as second:
        assert second <= 0.3
    assert first == 0.5


def test_it_is_spent_also_by_what_fails_and_never_more_than_all_of_it() -> None:
    patience = Patience(0.1)

    def wait() -> None:
        with patience.spending():
            time.sleep(0.2)
            raise OSError("planted")

    with pytest.raises(OSError, match="planted"):
        wait()
    assert patience.left == 0


def test_the_next_entry_has_all_of_it_again() -> None:
    patience = Patience(0.1)
    with patience.spending():
        time.sleep(0.05)
    patience.renew()
    assert patience.left == 0.1
