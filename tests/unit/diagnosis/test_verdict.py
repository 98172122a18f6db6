"""The verdict by table: planted bottlenecks are named, a balanced run is not accused."""

import pytest

from ocr_otel.diagnosis import TimeBudget, diagnose
from ocr_otel.diagnosis.budget import total
from ocr_otel.semconv import Bottleneck, Phase

P = Phase


def verdict(batches: int = 100, **seconds: float):
    phases = {phase: seconds.get(phase.value, 0.0) for phase in Phase}
    budget = TimeBudget(
        100.0, phases, seconds.get("validation", 0.0), seconds.get("checkpoint", 0.0), batches, "RichProgressBar", 20.0
    )
    return diagnose(budget)


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [
        ({"forward": 30, "backward": 40, "optimizer": 10, "fetch": 3}, Bottleneck.COMPUTE),
        ({"forward": 25, "backward": 30, "fetch": 25}, Bottleneck.DATA),
        ({"fetch": 90, "forward": 5}, Bottleneck.DATA),
        ({"transfer": 30, "forward": 40}, Bottleneck.TRANSFER),
        ({"optimizer": 45, "forward": 30}, Bottleneck.OPTIMIZER),
        ({"callbacks": 25, "loop": 15, "forward": 40}, Bottleneck.LOGGING),
        ({"forward": 30, "backward": 40, "checkpoint": 15}, Bottleneck.CHECKPOINT),
        ({"forward": 20, "backward": 20, "validation": 55}, Bottleneck.VALIDATION),
        ({"forward": 20, "backward": 25, "optimizer": 15, "fetch": 12, "validation": 25}, Bottleneck.NONE),
        ({"fetch": 40, "checkpoint": 11, "forward": 40}, Bottleneck.DATA),
    ],
)
def test_kind(seconds: dict[str, float], kind: Bottleneck) -> None:
    found = verdict(**seconds)
    assert found is not None
    assert found.kind is kind


def test_the_sentence_has_the_number_and_the_culprit() -> None:
    found = verdict(callbacks=30.0, forward=50.0)
    assert found is not None
    assert found.summary == "Callbacks and logging took 30% of the time (RichProgressBar alone 20%)."
    assert found.share == pytest.approx(0.3)


def test_the_fixed_cost_of_tiny_steps_is_no_defect() -> None:
    found = verdict(batches=1_000_000, callbacks=30.0, loop=30.0)
    assert found is not None
    assert found.kind is Bottleneck.NONE


def test_too_few_batches_are_not_judged() -> None:
    assert verdict(batches=4, fetch=90.0) is None


def test_what_is_in_no_phase_is_other() -> None:
    budget = TimeBudget(10.0, {P.FORWARD: 4.0}, validation=3.0, checkpoint=1.0)
    assert budget.other == pytest.approx(2.0)


def test_epochs_add_up() -> None:
    epochs = [
        TimeBudget(10, {P.FORWARD: 4}, 1, 1, 5, "A", 0.5),
        TimeBudget(12, {P.FORWARD: 5, P.FETCH: 1}, 2, 0, 6, "A", 0.7),
    ]
    run = total(epochs, 25)
    assert run.phases[P.FORWARD] == 9
    assert (run.validation, run.checkpoint, run.batches) == (3, 1, 11)
    assert (run.slowest_callback, run.slowest_callback_seconds) == ("A", pytest.approx(1.2))
