"""Whether a measure keeps to its limits, and how the outcome is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from junitparser import JUnitXml

from ocr_otel.baseline.check import Status, check
from ocr_otel.baseline.file import Baseline, Limit
from ocr_otel.baseline.results import as_markdown, as_text, summary, write_junit

THRESHOLDS = Baseline(
    "",
    {
        "batch.mean": Limit(0.4362, 0.1),
        "batch.p95_to_mean": Limit(most=1.4),
        "validation.duration": Limit(16.29, 0.1, most=300.0),
        "throughput.samples": Limit(least=50.0),
        "cache.hit_rate": Limit(least=0.8, required=False),
    },
)
"""A team's: 436 ms a batch, P95 at most 1.4 times the mean, a validation in 16.3 s, 50 samples a second."""


@pytest.mark.parametrize(
    ("name", "limit", "value", "status", "failed"),
    [
        ("batch.mean", Limit(1.0, 0.1), 1.09, Status.KEPT, False),
        ("batch.mean", Limit(1.0, 0.1), 1.11, Status.WORSE, True),
        ("batch.mean", Limit(1.0, 0.1), 0.89, Status.BETTER, False),
        ("batch.mean", Limit(1.0, 0.5, most=1.2), 1.3, Status.WORSE, True),
        ("batch.mean", Limit(1.0, 0.1, most=3.0), 1.3, Status.WORSE, True),
        ("batch.mean", Limit(most=1.2), 1.1, Status.KEPT, False),
        ("throughput.samples", Limit(100.0, 0.1), 91.0, Status.KEPT, False),
        ("throughput.samples", Limit(100.0, 0.1), 89.0, Status.WORSE, True),
        ("throughput.samples", Limit(100.0, 0.1), 120.0, Status.BETTER, False),
        ("throughput.samples", Limit(100.0, 0.5, least=80.0), 79.0, Status.WORSE, True),
        ("throughput.samples", Limit(100.0, 2.0), 0.0, Status.KEPT, False),
        ("batch.mean", Limit(1.0), None, Status.MISSING, True),
        ("batch.mean", Limit(1.0, required=False), None, Status.MISSING, False),
        ("goodput", Limit(0.0, 0.1), 0.0, Status.KEPT, False),
    ],
)
def test_status(name: str, limit: Limit, value: float | None, status: Status, failed: bool) -> None:
    (result,) = check({} if value is None else {name: value}, Baseline("", {name: limit}))
    assert (result.status, result.failed) == (status, failed)


def test_thresholds_of_a_team_are_told_as_people_read_them() -> None:
    measured = {
        "batch.mean": 0.4362,
        "batch.p95_to_mean": 1.31,
        "validation.duration": 18.2,
        "throughput.samples": 61.0,
    }
    results = check(measured, THRESHOLDS)
    assert [each.name for each in results if each.failed] == ["validation.duration"]
    said = {each.name: each.sentence for each in results}
    assert (
        said["validation.duration"] == "validation.duration is 18.2 s, +12 % against 16.3 s; allowed: at most 17.9 s."
    )
    assert said["batch.p95_to_mean"] == "batch.p95_to_mean is 1.31; allowed: at most 1.4."
    assert said["cache.hit_rate"] == "cache.hit_rate was not measured in this run; allowed: at least 80 %."
    assert summary(results) == "1 of 5 measures do not keep to the baseline."
    good = check(measured | {"validation.duration": 12.0}, THRESHOLDS)
    assert summary(good) == (
        "All 4 measures keep to the baseline. Not measured, and not required: cache.hit_rate. "
        "Better by more than the tolerance: validation.duration; save it anew to hold that."
    )


def test_junit_file_has_a_case_for_each_measure(tmp_path: Path) -> None:
    results = check({"batch.mean": 0.6, "batch.p95_to_mean": 1.3, "throughput.samples": 60.0}, THRESHOLDS)
    write_junit(tmp_path / "junit.xml", "run\x1b[31m<&", results)
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit.xml"))
    assert (suite.tests, suite.failures, suite.skipped) == (5, 2, 1)
    cases = {case.name: case for case in suite}
    assert (
        cases["batch.mean"].result[0].message == "batch.mean is 600 ms, +38 % against 436 ms; allowed: at most 480 ms."
    )
    assert cases["validation.duration"].result[0].type == "not measured"
    assert cases["batch.p95_to_mean"].result == []


def test_names_of_runs_are_only_text() -> None:
    results = check({"batch.mean": 0.6}, THRESHOLDS)
    assert "\x1b" not in as_text("run\x1b[31m", results)
    assert "\x1b" not in as_markdown("run\x1b[31m", results)
    assert as_markdown("a`b", results).startswith("### Training baseline: `` a`b ``\n")
