"""Rows of finished batches, and what they add up to."""

import numpy as np
import pytest

from ocr_otel.recording import ring
from ocr_otel.recording.ring import ROWS, BatchRing
from ocr_otel.recording.summaries import Totals, phase_nanoseconds
from ocr_otel.semconv import Phase


def test_rows_come_out_as_they_went_in_also_around_the_end() -> None:
    buffer = BatchRing()
    for index in range(ROWS + 10):
        buffer.write(index, index * 10, 100, [1, 2, 3, 4, 5, 6, 7])
        if index == ROWS - 5:
            assert len(buffer.take()) == ROWS - 4
    rows = buffer.take()
    assert rows[:, ring.SAMPLES].tolist() == list(range(ROWS - 4, ROWS + 10))
    assert rows[0, ring.PHASES :].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert len(buffer.take()) == 0


def test_what_the_phases_leave_is_lightnings_loop() -> None:
    buffer = BatchRing()
    buffer.write(4, 0, 100, [10, 20, 30, 0, 0, 5, 15])
    phases = phase_nanoseconds(buffer.take())
    assert phases[Phase.FORWARD].tolist() == [30]
    assert phases[Phase.LOOP].tolist() == [20]


def test_percentiles_are_within_one_percent() -> None:
    durations = np.random.default_rng(1).lognormal(np.log(0.05), 0.7, 5_000)
    buffer, totals = BatchRing(), Totals()
    for start in range(0, len(durations), 1000):
        for seconds in durations[start : start + 1000]:
            buffer.write(8, 0, int(seconds * 1e9), [0] * 7)
        rows = buffer.take()
        totals.add(rows, phase_nanoseconds(rows))
    for share in (0.5, 0.95, 0.99):
        assert totals.percentile(share) == pytest.approx(np.quantile(durations, share), rel=0.015)
    assert totals.batches == 5_000
    assert totals.samples == 40_000
    assert totals.longest / 1e9 == pytest.approx(durations.max(), rel=1e-6)
