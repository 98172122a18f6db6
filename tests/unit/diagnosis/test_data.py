"""Which half of making a batch is slow, and what is advised in the run's own terms."""

from __future__ import annotations

from typing import Any

import pytest

from ocr_otel import semconv
from ocr_otel.diagnosis import Verdict
from ocr_otel.semconv import Bottleneck
from tests.unit.diagnosis.observing import ON_CPU, diagnosed

BATCHES = 1000


def waiting(workers: int | None, dataset: float, cpu: float, collate: float, cpus: float = 8.0, **more: Any) -> Verdict:
    """Half of a hundred seconds is waiting; the rest of a batch takes 50 ms. Making a batch takes so many seconds."""
    known = ON_CPU | {semconv.CONFIG_CPUS: cpus}
    if workers is not None:
        known |= {semconv.CONFIG_WORKERS: workers}
    found = diagnosed(
        {"forward": 25, "backward": 25, "fetch": 50},
        known | more.pop("known", {}),
        made=BATCHES,
        dataset=dataset * BATCHES,
        dataset_cpu=cpu * BATCHES,
        collate=collate * BATCHES,
        **more,
    ).verdict
    assert found.kind is Bottleneck.DATA
    return found


@pytest.mark.parametrize(
    ("workers", "dataset", "cpu", "collate", "cpus", "advised"),
    [
        # Two workers deliver every 100 ms, 50 ms are needed: four, and one more for the slow ones.
        (2, 0.19, 0.19, 0.01, 8.0, "2 → 5: 2 workers deliver a batch every 100 ms, the training needs one every 50 ms"),
        (0, 0.1, 0.1, 0.0, 8.0, "num_workers 0 → 3: the training process itself makes each batch, in 100 ms"),
        # No more workers than CPUs, so that it must become cheaper too.
        (2, 0.4, 0.4, 0.0, 4.0, "num_workers 2 → 3"),
        (2, 0.4, 0.4, 0.0, 4.0, "Make decoding and augmentation cheaper"),
        (3, 0.4, 0.4, 0.0, 4.0, "more workers would not help"),
        (0, 0.1, 0.1, 0.0, 1.0, "no second CPU"),
        # What only waits needs no CPU of its own.
        (2, 0.4, 0.02, 0.0, 2.0, "num_workers 2 → 9"),
        # Fast enough, and yet it waits: it is lost on the way.
        (4, 0.04, 0.04, 0.0, 8.0, "it is lost on the way"),
    ],
)  # fmt: skip
def test_the_advice_counts_workers(
    workers: int, dataset: float, cpu: float, collate: float, cpus: float, advised: str
) -> None:
    assert advised in waiting(workers, dataset, cpu, collate, cpus).advice


@pytest.mark.parametrize(
    ("dataset", "cpu", "collate", "named"),
    [
        (0.2, 0.19, 0.01, "190 ms of it CPU time"),
        (0.2, 0.02, 0.01, "waits for storage"),
        (0.05, 0.05, 0.3, "collate_fn takes 300 ms"),
    ],
)
def test_the_slow_half_is_named(dataset: float, cpu: float, collate: float, named: str) -> None:
    assert named in waiting(2, dataset, cpu, collate).summary


def test_waiting_on_a_machine_without_free_cpus_is_not_blamed_on_storage() -> None:
    busy = {semconv.MAIN_CPU: 2.0, semconv.WORKERS_CPU: 5.5}
    assert "storage" not in waiting(8, 0.2, 0.02, 0.01, known=busy).summary
    starved = {semconv.PRESSURE_CPU: 0.9}
    assert "storage" not in waiting(8, 0.2, 0.02, 0.01, known=starved).summary
    # However busy the machine, one that wanted to compute would have got more than that.
    assert "storage" in waiting(8, 0.2, 0.004, 0.01, known=starved).summary


def test_workers_that_start_anew_in_each_epoch_are_named() -> None:
    found = waiting(2, 0.01, 0.01, 0.0, epochs=20, starts=19, starting=10.0, first_wait=30.0)
    assert "persistent_workers=True" in found.advice
    kept = waiting(2, 0.2, 0.2, 0.0, epochs=20, starts=19, starting=0.1, known={semconv.CONFIG_PERSISTENT: True})
    assert "persistent_workers" not in kept.advice


def test_a_loader_that_was_not_timed_is_not_explained() -> None:
    found = diagnosed({"forward": 40, "fetch": 50}, ON_CPU).verdict
    assert "was not timed" in found.advice
