"""The events of a window: few, short, and of declared names only."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.profile import Kernel, Operator, Synchronization, WindowProfile
from ocr_otel.profiling.span_events import MAX_EVENTS, MAX_TEXT, events_of
from tests.support.kineto_cpu import record
from tests.support.kineto_traces import KINDS, Workload, write

KIND_OF_VALUE = {"string": str, "int": int, "double": float}


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_declared_and_every_value_is_of_its_kind(kind: str, tmp_path: Path) -> None:
    profile = profile_of(write(KINDS[kind](stack=True), tmp_path / "trace.json"))
    events = events_of(profile)
    assert len(events) <= MAX_EVENTS
    for name, attributes in events:
        assert name in semconv.EVENTS
        assert attributes
        for attribute, value in attributes.items():
            assert type(value) is KIND_OF_VALUE[semconv.ATTRIBUTES[attribute].kind], attribute
            assert not isinstance(value, str) or 0 < len(value) <= MAX_TEXT


def test_a_window_with_a_device_tells_all_there_is(tmp_path: Path) -> None:
    work = Workload(items=3, collective_bytes=10**7, pinned=False)
    found = Counter(name for name, _ in events_of(profile_of(write(work, tmp_path / "trace.json"))))
    assert set(found) == {
        semconv.PROFILE_HOST_EVENT,
        semconv.PROFILE_DEVICE_EVENT,
        semconv.PROFILE_DATALOADER_WAIT_EVENT,
        semconv.PROFILE_PHASE_EVENT,
        semconv.PROFILE_OPERATOR_EVENT,
        semconv.PROFILE_KERNEL_EVENT,
        semconv.PROFILE_TRANSFER_EVENT,
        semconv.PROFILE_SYNCHRONIZATION_EVENT,
        semconv.PROFILE_GAP_EVENT,
        semconv.PROFILE_COMMUNICATION_EVENT,
    }


def test_what_was_not_measured_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    record(path)
    events = events_of(profile_of(path))
    names = {attribute for _, attributes in events for attribute in attributes}
    assert semconv.PROFILE_OPERATOR_SELF_CPU in names
    assert names.isdisjoint(
        {
            semconv.PROFILE_OPERATOR_SELF_DEVICE,
            semconv.PROFILE_OPERATOR_MEMORY,
            semconv.PROFILE_OPERATOR_FLOPS,
            semconv.PROFILE_OPERATOR_SHAPES,
            semconv.PROFILE_OPERATOR_CALL_SITE,
            semconv.PROFILE_PHASE_DEVICE,
        }
    )
    assert semconv.PROFILE_DEVICE_EVENT not in {name for name, _ in events}


def test_the_waits_for_data_are_told_with_their_share(tmp_path: Path) -> None:
    profile = profile_of(write(KINDS["data"](noise=0.0), tmp_path / "trace.json"))
    (wait,) = [attributes for name, attributes in events_of(profile) if name == semconv.PROFILE_DATALOADER_WAIT_EVENT]
    assert wait[semconv.PROFILE_DATALOADER_WAIT_BATCHES] == 6
    assert wait[semconv.PROFILE_DATALOADER_WAIT_DURATION] == pytest.approx(6 * 60e-3, rel=0.01)
    assert wait[semconv.PROFILE_DATALOADER_WAIT_SHARE] == pytest.approx(6 * 60e-3 / profile.seconds, rel=0.01)


def test_there_are_few_of_them_however_much_there_was() -> None:
    name = "x" * 10_000
    profile = WindowProfile(
        seconds=1.0,
        operators=tuple(Operator(name, 1, 1.0, 1.0, shapes=name, call_site=name) for _ in range(500)),
        kernels=tuple(Kernel(name, 1, 1.0, 0.1) for _ in range(500)),
        synchronizations=tuple(Synchronization(name, name, 1, 1.0) for _ in range(500)),
    )
    events = events_of(profile)
    assert len(events) <= MAX_EVENTS
    texts = [value for _, attributes in events for value in attributes.values() if isinstance(value, str)]
    assert max(map(len, texts)) == MAX_TEXT


def test_an_empty_window_has_events_too() -> None:
    assert [name for name, _ in events_of(WindowProfile(seconds=0.0))] == [semconv.PROFILE_HOST_EVENT]
