"""What is decided for trackers without one: numbers over ranks, links, and whom to tell."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext

from ocr_otel import semconv
from ocr_otel.integrations.trackers.figures import MEMORY, TIMING, figures_of, over_ranks, verdict_of
from ocr_otel.integrations.trackers.links import DASHBOARD, links_of
from ocr_otel.integrations.trackers.loggers import Tracker, trackers_of
from ocr_otel.integrations.trackers.outlet import Outlet
from ocr_otel.integrations.trackers.report import NoReportError, make_report
from ocr_otel.integrations.trackers.trackers import trackers_for
from ocr_otel.recording import LoopSummary
from ocr_otel.semconv import Stage
from ocr_otel.settings import Settings
from ocr_otel.training.guard import Parts

ROOT = NonRecordingSpan(SpanContext(0xABC, 1, is_remote=False))


def summary(**changed: float) -> LoopSummary:
    values = {"wall": 9.0, "mean": 1.0, "p50": 1.0, "p95": 1.0, "p99": 1.0, "longest": 1.0}
    return LoopSummary(stage=Stage.TRAIN, batches=2, samples=4, phases={}, slow_batches=0, **values | changed)


def test_what_is_not_known_of_an_epoch_is_left_out() -> None:
    found = figures_of(summary(), {semconv.THROUGHPUT: 5, semconv.MEMORY_RSS: 7})
    assert found == {
        semconv.TRACKED_THROUGHPUT: 5.0,
        semconv.TRACKED_EPOCH: 9.0,
        semconv.TRACKED_PROCESS_MEMORY: 7.0,
    }


def test_the_peak_of_memory_goes_before_its_value_at_the_end() -> None:
    found = figures_of(summary(validation=2.0), {semconv.MEMORY_RSS: 7, semconv.MAIN_MEMORY_MAX: 8.0})
    assert found[semconv.TRACKED_PROCESS_MEMORY] == 8.0
    assert found[semconv.TRACKED_VALIDATION] == 2.0


def test_ranks_are_added_averaged_or_the_largest_is_taken() -> None:
    first = {semconv.TRACKED_THROUGHPUT: 10.0, semconv.TRACKED_DATA_WAIT: 0.1, semconv.TRACKED_BATCH_P99: 2.0}
    second = {semconv.TRACKED_THROUGHPUT: 20.0, semconv.TRACKED_DATA_WAIT: 0.3, semconv.TRACKED_BATCH_P99: 5.0}
    only = {semconv.TRACKED_GPU: 0.4}
    assert over_ranks([first, second | only]) == {
        semconv.TRACKED_THROUGHPUT: 30.0,
        semconv.TRACKED_DATA_WAIT: pytest.approx(0.2),
        semconv.TRACKED_BATCH_P99: 5.0,
        semconv.TRACKED_GPU: 0.4,
    }


def test_every_number_of_timing_and_memory_is_documented() -> None:
    assert set(semconv.TRACKED) >= TIMING | MEMORY


def test_a_verdict_is_its_share_under_its_kind() -> None:
    told = verdict_of({semconv.BOTTLENECK_KIND: "data", semconv.BOTTLENECK_SHARE: 0.4})
    assert told == {"ocr_otel/bottleneck/data": 0.4}
    assert set(told) <= set(semconv.TRACKED)
    assert verdict_of({}) == {}


@pytest.mark.parametrize("entry", ["fit", "validate", "test", "predict"])
def test_links_of_each_entry_have_documented_names_of_their_own(entry: str) -> None:
    settings = Settings(jaeger_url="http://jaeger:16686/", grafana_url="http://grafana")
    texts = links_of(ROOT, entry, "a run&b", settings)
    assert set(texts) <= set(semconv.TRACKED)
    trace_id = f"{0xABC:032x}"
    assert texts[semconv.tracked_of(semconv.TRACKED_TRACE_ID, entry)] == trace_id
    assert texts[semconv.tracked_of(semconv.TRACKED_JAEGER, entry)] == f"http://jaeger:16686/trace/{trace_id}"
    assert "var-run=a%20run%26b&" in texts[semconv.TRACKED_GRAFANA]


def test_links_without_addresses_are_ids_and_the_dashboard_is_there() -> None:
    assert set(links_of(ROOT, "fit", "run", Settings())) == {semconv.TRACKED_RUN_ID, semconv.TRACKED_TRACE_ID}
    dashboard = (Path(__file__).parents[3] / "dashboards" / "json" / "run.json").read_text(encoding="utf-8")
    assert f'"uid": "{DASHBOARD}"' in dashboard


class MLFlowLogger:
    """Has the name of one, and is derived from as users do."""


class OurLogger(MLFlowLogger):
    pass


class DummyLogger:
    pass


class AimLogger:
    pass


def test_loggers_are_known_by_the_names_of_their_classes_and_those_that_keep_nothing_are_left_out() -> None:
    found = trackers_of([OurLogger(), DummyLogger(), AimLogger()])
    assert [(each.kind, each.takes_files) for each in found] == [("mlflow", True), ("aim", False)]


def test_nobody_is_told_where_it_is_off_or_there_is_no_logger() -> None:
    trainer = SimpleNamespace(loggers=[AimLogger()])
    off = Settings(trackers="off")
    assert off.trackers == ()
    assert trackers_for(trainer, None, "fit", off, Parts(print)) is None  # type: ignore[arg-type]
    assert trackers_for(SimpleNamespace(loggers=[]), None, "fit", Settings(), Parts(print)) is None  # type: ignore[arg-type]


def outlet() -> tuple[Outlet, Counter[str]]:
    failures: Counter[str] = Counter()

    def failed(cause: str, error: Exception) -> None:
        failures[f"{cause}: {type(error).__name__}"] += 1

    return Outlet(Tracker(AimLogger(), "aim"), Parts(failed)), failures


def test_a_logger_that_ends_its_thread_only_fails_and_is_left_alone_after_three_times() -> None:
    told, failures = outlet()
    calls = []

    def end(tracker: Tracker) -> None:
        calls.append(tracker.name)
        raise SystemExit(1)

    for _ in range(5):
        told.call(end)
    assert calls == ["AimLogger"] * 3
    assert failures == {"tracker.aim: RuntimeError": 3}


def test_a_logger_that_hangs_is_waited_for_once() -> None:
    told, failures = outlet()
    began = time.monotonic()
    for _ in range(4):
        told.call(lambda tracker: time.sleep(5), 0.1)
    assert time.monotonic() - began < 2
    assert failures == {"tracker.aim: LoggerHangs": 1}


def test_a_report_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    with pytest.raises(NoReportError, match="is not a run directory"):
        make_report(tmp_path, tmp_path)
