"""When windows open by themselves, by simulated batches."""

from __future__ import annotations

import random

import pytest

from ocr_otel.profiling.windows.schedule import ANOMALY_PAUSE_NS, RECENT, REFERENCE, Anomalies, Schedule
from ocr_otel.recording.sampling import FIRST_BATCHES, NEVER
from ocr_otel.semconv import ProfileMode, Stage
from ocr_otel.settings import Settings

MEDIAN = 10_000_000


def settings(**values: object) -> Settings:
    return Settings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
def test_noise_of_30_percent_opens_no_window_in_10_000_batches(seed: int) -> None:
    noise = random.Random(seed)
    anomalies = Anomalies()
    opened = 0
    for number in range(10_000):
        duration = int(MEDIAN * noise.uniform(0.7, 1.3))
        now = number * MEDIAN
        opened += anomalies.batch(number, duration, MEDIAN, now)
        opened += anomalies.further([duration], now)
    assert opened == 0


def test_a_batch_of_five_times_the_median_opens_one() -> None:
    anomalies = Anomalies()
    assert not anomalies.batch(100, 2 * MEDIAN, MEDIAN, 0)
    assert anomalies.batch(101, 5 * MEDIAN, MEDIAN, 0)


def test_one_that_follows_waits_for_the_pause() -> None:
    anomalies = Anomalies()
    assert anomalies.batch(100, 5 * MEDIAN, MEDIAN, 0)
    assert not anomalies.batch(200, 5 * MEDIAN, MEDIAN, ANOMALY_PAUSE_NS - 1)
    assert anomalies.batch(300, 5 * MEDIAN, MEDIAN, ANOMALY_PAUSE_NS)


def test_the_first_batches_of_an_epoch_are_slow_for_reasons_of_their_own() -> None:
    anomalies = Anomalies()
    assert not any(anomalies.batch(idx, 50 * MEDIAN, MEDIAN, 0) for idx in range(FIRST_BATCHES))


def test_without_a_median_nothing_is_far_off_it() -> None:
    assert not Anomalies().batch(10, 50 * MEDIAN, 0, 0)


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_a_lasting_fall_of_throughput_opens_one_and_is_then_what_is_usual(at_once: int) -> None:
    anomalies = Anomalies()
    durations = [MEDIAN] * REFERENCE + [2 * MEDIAN] * (10 * RECENT)
    opened = sum(
        anomalies.further(durations[start : start + at_once], start * ANOMALY_PAUSE_NS)
        for start in range(0, len(durations), at_once)
    )
    assert opened == 1


def test_periodic_windows_are_counted_in_training_batches_and_bounded() -> None:
    schedule = Schedule(settings(profile_every=50, profile_windows=2))
    assert schedule.next_due(Stage.TRAIN, 0) == 50
    assert schedule.next_due(Stage.TRAIN, 49) == 1
    assert schedule.next_due(Stage.VALIDATE, 49) == NEVER
    assert schedule.after(Stage.TRAIN, 49) is None
    assert schedule.after(Stage.TRAIN, 50) is ProfileMode.PERIODIC
    assert schedule.after(Stage.VALIDATE, 50) is None
    schedule.opened(ProfileMode.PERIODIC)
    schedule.opened(ProfileMode.PERIODIC)
    assert schedule.after(Stage.TRAIN, 100) is None
    assert schedule.next_due(Stage.TRAIN, 60) == NEVER


def test_the_first_loop_of_a_kind_has_a_window_and_the_next_has_none() -> None:
    schedule = Schedule(settings(profile=("start", "validation")))
    assert schedule.at_beginning(Stage.TRAIN) is ProfileMode.START
    schedule.opened(ProfileMode.START)
    assert schedule.at_beginning(Stage.TRAIN) is None
    assert schedule.at_beginning(Stage.SANITY_CHECK) is None
    assert schedule.at_beginning(Stage.VALIDATE) is ProfileMode.VALIDATION


def test_what_is_not_asked_for_does_not_open() -> None:
    schedule = Schedule(settings())
    assert schedule.at_beginning(Stage.TRAIN) is None
    assert schedule.after(Stage.TRAIN, 1000) is None
    assert schedule.next_due(Stage.TRAIN, 0) == NEVER
    assert schedule.anomaly() is None


def test_anomalies_are_bounded_in_a_run() -> None:
    schedule = Schedule(settings(profile=("anomaly",), profile_windows=1))
    assert schedule.anomaly() is not None
    schedule.opened(ProfileMode.ANOMALY)
    assert schedule.anomaly() is None
