"""The kinds of a GPU by the window alone, on generated traces in Kineto's format."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_otel.diagnosis import Diagnosis, Observation, diagnose
from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.profile import WindowProfile
from ocr_otel.semconv import Bottleneck
from tests.support import kineto_traces
from tests.support.kineto_traces import KINDS, Workload, write


def diagnosed(workload: Workload, folder: Path) -> Diagnosis:
    found = diagnose(Observation.of_window(profile_of(write(workload, folder / "trace.json"))))
    assert found is not None
    return found


@pytest.mark.parametrize("style", ["ours", "lightning", "plain"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_planted_is_named_whoever_marked_the_trace(kind: str, style: str, tmp_path: Path) -> None:
    found = diagnosed(KINDS[kind](style=style), tmp_path)
    allowed = {Bottleneck(kind), Bottleneck.COMPUTE} if kind == "none" else {Bottleneck(kind)}
    assert found.verdict.kind in allowed, found.causes
    assert 0 < found.verdict.share <= 1
    assert found.verdict.evidence


@pytest.mark.parametrize("items", [4, 10, 30])
def test_a_synchronisation_is_named_with_its_call_site(items: int, tmp_path: Path) -> None:
    found = diagnosed(kineto_traces.sync_bound(items=items), tmp_path)
    (cause,) = [cause for cause in found.causes if cause.kind is Bottleneck.SYNCHRONIZATION] or [None]
    assert items < 10 or (cause is not None and "item" in cause.summary)


def test_a_value_read_while_the_device_is_busy_costs_nothing(tmp_path: Path) -> None:
    found = diagnosed(kineto_traces.compute_bound(logged=True), tmp_path)
    assert found.verdict.kind is Bottleneck.COMPUTE


def test_communication_that_computation_hides_is_no_cause(tmp_path: Path) -> None:
    hidden = diagnosed(kineto_traces.compute_bound(collective_bytes=40_000_000, overlap=True), tmp_path)
    assert [cause.kind for cause in hidden.causes] == [Bottleneck.COMPUTE]


def test_the_share_grows_with_the_wait_for_data(tmp_path: Path) -> None:
    shares = []
    for fetch in (5e-3, 20e-3, 60e-3, 200e-3):
        causes = diagnosed(kineto_traces.data_bound(fetch=fetch), tmp_path).causes
        shares.append(max((cause.share for cause in causes if cause.kind is Bottleneck.DATA), default=0.0))
    assert shares == sorted(shares)
    assert shares[-1] > 0.8


def test_an_empty_window_has_no_verdict() -> None:
    assert diagnose(Observation.of_window(WindowProfile(seconds=0.0))) is None
