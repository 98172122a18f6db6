"""What several callbacks on one Trainer ask for, put together: arguments, environment, defaults, and what is off."""

from __future__ import annotations

import pytest

from ocr_otel import OTelCallback, Profiler, ResourceMonitor, ThroughputMonitor, semconv
from ocr_otel.callbacks.asked import Plan, Thresholds, View, together
from ocr_otel.callbacks.shown import beyond, left_out, line_of
from ocr_otel.recording import LoopSummary
from ocr_otel.semconv import Stage
from ocr_otel.settings import Settings, SettingsError, variables
from ocr_otel.training.listening import EndedEpoch


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in variables():
        monkeypatch.delenv(name, raising=False)


def plan(*callbacks: object) -> Plan:
    found = together([each.asked for each in callbacks])  # type: ignore[attr-defined]
    assert found is not None
    return found


def test_an_argument_goes_before_the_environment_and_that_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_OTEL_BATCH_SPANS", "7")
    monkeypatch.setenv("OCR_OTEL_PROFILE_EVERY", "8")
    settings = plan(OTelCallback(batch_spans=5, profile_every=None)).settings
    assert (settings.batch_spans, settings.profile_every, settings.slow_batch_ratio) == (5, 8, 2.0)


def test_of_two_that_are_given_the_same_the_first_counts() -> None:
    settings = plan(Profiler(profile_every=3), OTelCallback(profile_every=5, batch_spans=9)).settings
    assert (settings.profile_every, settings.batch_spans) == (3, 9)


def test_a_part_alone_switches_the_others_off() -> None:
    throughput = plan(ThroughputMonitor()).settings
    assert (throughput.resource_interval, throughput.profile, throughput.profile_every) == (0.0, (), 0)
    resources = plan(ResourceMonitor(interval=3, gpus="all")).settings
    assert (resources.resource_interval, resources.gpus, resources.profile) == (3.0, "all", ())
    profiler = plan(Profiler(modes=["start"], profile_steps=4, record_shapes=True)).settings
    assert (profiler.profile, profiler.profile_batches, profiler.profile_details) == (("start",), 4, ("shapes",))
    assert profiler.resource_interval == 0.0


def test_a_part_beside_the_whole_switches_nothing_off() -> None:
    settings = plan(ThroughputMonitor(), OTelCallback()).settings
    assert settings == Settings()


def test_what_is_off_asks_for_nothing_and_the_whole_switches_all_off() -> None:
    assert together([ThroughputMonitor(enabled=False).asked]) is None
    assert together([ThroughputMonitor().asked, OTelCallback(enabled=False).asked, OTelCallback().asked]) is None
    assert plan(ResourceMonitor(), Profiler(enabled=False, modes="start")).settings.profile == ()


def test_settings_as_a_whole_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(batch_spans=4)
    monkeypatch.setenv("OCR_OTEL_BATCH_SPANS", "7")
    monkeypatch.setenv("OCR_OTEL_PROFILE_EVERY", "8")
    assert plan(OTelCallback(settings=given)).settings == given
    with pytest.raises(SettingsError, match="settings and batch_spans exclude each other"):
        OTelCallback(settings=given, batch_spans=3)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: OTelCallback(batch_span=3), r"batch_span is not a setting of ocr_otel: did you mean batch_spans\?"),
        (lambda: OTelCallback(batch_spans=-1), r"^batch_spans=-1 is not allowed.*greater than or equal to 0"),
        (lambda: Profiler(modes="sometimes"), r"^profile='sometimes' is not allowed.*'on-demand'"),
        (lambda: ThroughputMonitor(log_interval=0), r"log_interval=0 is not allowed: it is a number of epochs"),
        (lambda: ResourceMonitor(io_pressure_max=30), r"io_pressure_max=30 is not allowed: it is a share"),
    ],
)
def test_a_wrong_argument_is_named_as_it_was_given(make: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        make()  # type: ignore[operator]


def test_trackers_are_given_the_numbers_of_the_parts_that_are_on() -> None:
    assert left_out(plan(OTelCallback())) == frozenset()
    assert left_out(plan(ThroughputMonitor())) == {semconv.TRACKED_GPU}
    of_resources = left_out(plan(ResourceMonitor()))
    assert semconv.TRACKED_THROUGHPUT in of_resources
    assert semconv.TRACKED_PROCESS_MEMORY not in of_resources
    assert semconv.TRACKED_PROCESS_MEMORY in left_out(plan(ThroughputMonitor(track_memory=False), OTelCallback()))


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        ({semconv.GPU_USED_MEAN: 0.4, semconv.PRESSURE_IO: 0.2}, ["gpu_utilization_min"]),
        ({semconv.GPU_USED_MEAN: 0.5, semconv.GPU_HELD_DOWN: 0.2}, ["gpu_throttled_max"]),
        ({semconv.PRESSURE_IO: 0.31}, ["io_pressure_max"]),
        ({}, []),
    ],
)
def test_a_bound_that_an_epoch_is_beyond_is_said(attributes: dict[str, float], names: list[str]) -> None:
    bounds = Thresholds(gpu_utilization_min=0.5, gpu_throttled_max=0.1, io_pressure_max=0.3)
    assert [name for name, _ in beyond(bounds, attributes)] == names
    assert beyond(Thresholds(), attributes) == []


def test_an_epoch_in_one_line() -> None:
    summary = LoopSummary(Stage.TRAIN, 9.0, 2, 4, {}, 0.1, 0.09, 0.2, 0.3, 0.3, 0, validation=1.5)
    attributes = {semconv.THROUGHPUT: 12.34, semconv.DATA_WAIT_RATIO: 0.125, semconv.MEMORY_RSS: 3 * 2**30}
    line = line_of(EndedEpoch(3, 19, summary, attributes), View())
    assert line == (
        "ocr_otel epoch 3: 12.3 samples/s, batch 100.0 ms (p50 90.0, p95 200.0, p99 300.0), waiting for data 12%, "
        "validation 1.50 s, memory 3.00 GiB"
    )
