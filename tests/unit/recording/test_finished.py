"""Epochs that are over: of ten or of a hundred thousand, the sums are the same and so is the memory."""

from __future__ import annotations

import pytest

from ocr_otel.recording.finished import MOST, FinishedLoops, added_up
from ocr_otel.recording.summaries import Interruptions, LoopSummary, Making
from ocr_otel.semconv import Phase, Stage


def loop(number: int, stage: Stage = Stage.TRAIN) -> LoopSummary:
    """An epoch that differs from the others in everything that is added up."""
    batches = 1 + number % 7
    return LoopSummary(
        stage=stage,
        wall=2.0 + number,
        batches=batches,
        samples=8 * batches,
        phases={Phase.FORWARD: 0.25 * number},
        mean=0.1 * (1 + number % 3),
        p50=0.1 + number,
        p95=0.2 + number,
        p99=0.3 + number,
        longest=float(number % 100),
        slow_batches=number % 2,
        slowest_callback="EarlyStopping" if number % 5 else "ModelCheckpoint",
        slowest_callback_seconds=0.5,
        making=Making(batches, 0.1, 0.05, 0.01),
        interruptions=Interruptions(starting=0.5, starts=1, collections=2),
        first_wait=0.125,
    )


@pytest.mark.parametrize("number", [3, MOST - 1, MOST, 10 * MOST + 17])
def test_the_sums_are_those_of_all(number) -> None:
    loops = [loop(each) for each in range(number)]
    finished = FinishedLoops()
    for each in loops:
        finished.add(each)
    kept = list(finished)
    assert len(kept) < MOST
    whole = added_up(kept)
    assert whole.loops == number
    assert whole.batches == sum(each.batches for each in loops)
    assert whole.wall == pytest.approx(sum(each.wall for each in loops))
    assert whole.in_batches == pytest.approx(sum(each.in_batches for each in loops))
    assert whole.phases[Phase.FORWARD] == pytest.approx(sum(each.phases[Phase.FORWARD] for each in loops))
    assert whole.longest == max(each.longest for each in loops)
    assert whole.interruptions.starts == number
    assert whole.interruptions.collections == 2 * number
    assert whole.making.batches == whole.batches
    assert whole.first_wait == pytest.approx(0.125 * number)


def test_validations_are_added_up_apart() -> None:
    finished = FinishedLoops()
    for number in range(3 * MOST):
        finished.add(loop(number, Stage.TRAIN if number % 2 else Stage.VALIDATE))
    counted = {stage: sum(each.loops for each in finished if each.stage is stage) for stage in Stage}
    assert counted[Stage.TRAIN] == counted[Stage.VALIDATE] == 3 * MOST / 2


def test_the_batch_times_are_those_of_the_longest_epoch() -> None:
    assert added_up([loop(6), loop(0), loop(3)]).p95 == loop(6).p95
