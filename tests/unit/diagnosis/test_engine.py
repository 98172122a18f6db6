"""Properties of all verdicts: shares, ranks, what is left out, what is too little to judge."""

from __future__ import annotations

import random

import pytest

from ocr_otel import semconv
from ocr_otel.diagnosis import Observation, TimeBudget, diagnose
from ocr_otel.diagnosis.budget import total
from ocr_otel.diagnosis.thresholds import THRESHOLDS
from ocr_otel.semconv import Bottleneck, Phase
from tests.unit.diagnosis.observing import BALANCED, ON_CPU, WALL, budget, diagnosed

PLANTED = {
    "fetch": Bottleneck.DATA,
    "transfer": Bottleneck.TRANSFER,
    "optimizer": Bottleneck.OPTIMIZER,
    "callbacks": Bottleneck.LOGGING,
    "checkpoint": Bottleneck.CHECKPOINT,
    "validation": Bottleneck.VALIDATION,
}


def random_seconds(seed: int) -> dict[str, float]:
    draw = random.Random(seed)
    names = [*(phase.value for phase in Phase), "validation", "checkpoint"]
    parts = {name: draw.expovariate(1) for name in names}
    whole = sum(parts.values()) * draw.uniform(1, 1.5)
    return {name: WALL * part / whole for name, part in parts.items()}


@pytest.mark.parametrize("seed", range(200))
def test_shares_are_shares_and_causes_are_ranked(seed: int) -> None:
    draw = random.Random(seed)
    found = diagnosed(
        random_seconds(seed),
        ON_CPU,
        cpu_delay=draw.uniform(0, WALL),
        collecting=draw.uniform(0, 20),
        recompiling=draw.uniform(0, 20),
        made=1000,
        dataset=draw.uniform(0, 100),
        collate=draw.uniform(0, 100),
    )
    assert 1 <= len(found.causes) <= 3
    assert all(0 <= cause.share <= 1 for cause in found.causes)
    assert all(cause.speedup >= 1 for cause in found.causes)
    assert len({cause.kind for cause in found.causes}) == len(found.causes)
    shares = [cause.share for cause in found.causes if cause.kind is not Bottleneck.CPU_CONTENTION]
    assert shares == sorted(shares, reverse=True)
    for cause in found.causes:
        if len(found.causes) > 1:
            assert cause.kind not in (Bottleneck.NONE, Bottleneck.COMPUTE, Bottleneck.MEMORY_BANDWIDTH)


@pytest.mark.parametrize("part", PLANTED)
def test_the_more_is_planted_the_more_is_at_stake(part: str) -> None:
    kind = PLANTED[part]
    shares = []
    for share in (0.05, 0.2, 0.4, 0.6, 0.8, 0.95):
        rest = {name: seconds * (1 - share) for name, seconds in BALANCED.items() if name != part}
        found = diagnosed(rest | {part: share * WALL}, ON_CPU)
        shares.append(max((cause.share for cause in found.causes if cause.kind is kind), default=0.0))
        if share > THRESHOLDS[kind] + 0.02:
            assert found.verdict.kind is kind
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == pytest.approx(0.95, abs=0.02)


def test_a_pause_that_explains_a_callback_leaves_it_out() -> None:
    found = diagnosed({"forward": 40, "callbacks": 50}, collecting=48.0, collections=100)
    assert [cause.kind for cause in found.causes] == [Bottleneck.MEMORY]
    found = diagnosed({"forward": 20, "callbacks": 70}, collecting=12.0, collections=100)
    assert [cause.kind for cause in found.causes] == [Bottleneck.LOGGING, Bottleneck.MEMORY]


def test_what_others_do_on_the_machine_comes_after_what_the_training_does() -> None:
    found = diagnosed({"forward": 40, "fetch": 50}, ON_CPU, cpu_delay=70.0)
    assert [cause.kind for cause in found.causes] == [Bottleneck.DATA, Bottleneck.CPU_CONTENTION]


def test_what_is_recoverable_goes_before_compute() -> None:
    found = diagnosed({"forward": 50, "backward": 38, "checkpoint": 11})
    assert [cause.kind for cause in found.causes] == [Bottleneck.CHECKPOINT]


def test_too_few_batches_are_not_judged() -> None:
    assert diagnose(Observation(budget({"fetch": 90}, batches=4))) is None
    assert diagnose(Observation(TimeBudget(0.0, {}, batches=100))) is None


def test_the_profilers_own_time_is_no_part_of_what_is_judged() -> None:
    found = diagnosed({"forward": 20, "backward": 20}, {}, profiling=50.0)
    assert found.verdict.kind is Bottleneck.COMPUTE
    assert found.verdict.share == pytest.approx(0.8)


def test_attributes_of_another_type_are_not_known() -> None:
    known = {semconv.CONFIG_WORKERS: "two", semconv.CONFIG_CPUS: True, semconv.CONFIG_PIN_MEMORY: 1}
    observation = Observation.of(budget(BALANCED), known)
    assert observation.known.loader.workers is None
    assert observation.known.machine.cpus is None
    assert observation.known.loader.pin_memory is None


def test_evidence_is_written_with_its_source() -> None:
    found = diagnosed({"forward": 50, "checkpoint": 40}, checkpoints=4).verdict
    assert str(found.evidence[0]) == "writing checkpoints: 40 s of 1 min 40 s (checkpoint.save)"


def test_what_is_in_no_phase_is_other() -> None:
    assert TimeBudget(10.0, {Phase.FORWARD: 4.0}, validation=3.0, checkpoint=1.0).other == pytest.approx(2.0)


def test_epochs_add_up() -> None:
    epochs = [
        TimeBudget(10, {Phase.FORWARD: 4}, 1, 1, 5, "A", 0.5, collecting=0.5, made=5),
        TimeBudget(12, {Phase.FORWARD: 5, Phase.FETCH: 1}, 2, 0, 6, "A", 0.7, collecting=0.25, made=6),
    ]
    run = total(epochs, 25)
    assert run.phases[Phase.FORWARD] == 9
    assert (run.validation, run.checkpoint, run.batches, run.epochs) == (3, 1, 11, 2)
    assert (run.collecting, run.made) == (0.75, 11)
    assert (run.slowest_callback, run.slowest_callback_seconds) == ("A", pytest.approx(1.2))
