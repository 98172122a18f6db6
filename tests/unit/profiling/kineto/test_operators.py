"""Operators agree with what PyTorch's own summary says of the same recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.profile import Operator, WindowProfile
from tests.support.kineto_cpu import ACTIVE, record
from tests.support.kineto_traces import launch_bound, sync_bound, write


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[WindowProfile, dict[str, object]]:
    """A recording of everything, without batches: PyTorch's summary knows none either."""
    path = tmp_path_factory.mktemp("recorded") / "trace.json"
    profiler = record(path, steps=False, record_shapes=True, profile_memory=True, with_stack=True, with_flops=True)
    return profile_of(path), {each.key: each for each in profiler.key_averages()}


def operator(profile: WindowProfile, name: str) -> Operator:
    return next(each for each in profile.operators if each.name == name)


def test_calls_and_times_are_those_of_pytorch(recorded: tuple[WindowProfile, dict[str, object]]) -> None:
    profile, summary = recorded
    assert len(profile.operators) >= 12
    for found in profile.operators:
        expected = summary[found.name]
        assert found.calls == expected.count, found.name
        # PyTorch's summary cuts each event to whole microseconds.
        assert found.total_cpu == pytest.approx(expected.cpu_time_total / 1e6, rel=0.02, abs=2e-6 * found.calls)
        assert found.self_cpu == pytest.approx(expected.self_cpu_time_total / 1e6, rel=0.05, abs=3e-6 * found.calls)


def test_the_costliest_are_first(recorded: tuple[WindowProfile, dict[str, object]]) -> None:
    profile, summary = recorded
    shares = [each.share for each in profile.operators]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1.0001
    ranges = ("Optimizer.", "enumerate(", "ProfilerStep")
    costs = {name: each.self_cpu_time_total for name, each in summary.items() if not name.startswith(ranges)}
    costliest = max((name for name in costs if "::" in name or name.endswith("Backward0")), key=costs.__getitem__)
    assert profile.operators[0].name == costliest


def test_memory_and_operations_are_those_of_pytorch(recorded: tuple[WindowProfile, dict[str, object]]) -> None:
    profile, summary = recorded
    compared = 0
    for found in profile.operators:
        expected = summary[found.name]
        if found.flops is not None and expected.flops:
            assert found.flops == expected.flops, found.name
            compared += 1
        assert found.memory is not None
    assert compared >= 1
    grown = operator(profile, "aten::mkldnn_convolution") if "aten::mkldnn_convolution" in summary else None
    if grown is not None:
        # 8 images of 8 x 16 x 16 numbers of 4 bytes come out of the convolution in each of the batches.
        assert grown.flops == (ACTIVE + 1) * 2 * 8 * 16 * 16 * 8 * 9


def test_shapes_and_call_sites_are_told_where_they_were_recorded(
    recorded: tuple[WindowProfile, dict[str, object]], tmp_path: Path
) -> None:
    profile, _ = recorded
    found = operator(profile, "aten::item")
    assert found.shapes == "[[]]"
    convolution = next(each for each in profile.operators if "conv" in each.name and "backward" not in each.name)
    assert convolution.shapes.startswith("[[8, 1, 16, 16], [8, 1, 3, 3]")
    assert convolution.call_site.startswith("kineto_cpu.py:")
    assert convolution.call_site.endswith("in training_step")
    path = tmp_path / "bare.json"
    record(path)
    bare = profile_of(path)
    assert {each.call_site for each in bare.operators} == {""}
    assert {each.memory for each in bare.operators} == {None}
    assert {each.flops for each in bare.operators} == {None}


def test_kernels_belong_to_the_operators_that_launched_them(tmp_path: Path) -> None:
    profile = profile_of(write(launch_bound(batches=2), tmp_path / "trace.json"))
    linear = operator(profile, "aten::addmm")
    assert linear.calls == 2 * 20
    assert linear.self_device == pytest.approx(linear.calls * 6e-6, rel=0.1)
    relu = operator(profile, "aten::relu")
    clamp = operator(profile, "aten::clamp_min")
    assert relu.self_device == 0
    assert relu.total_device == pytest.approx(clamp.self_device)
    assert sum(each.self_device for each in profile.operators) == pytest.approx(
        sum(each.seconds for each in profile.kernels) + sum(each.seconds for each in profile.transfers), rel=1e-3
    )


def test_what_reads_values_is_always_told(tmp_path: Path) -> None:
    profile = profile_of(write(sync_bound(items=2, layers=4), tmp_path / "trace.json"))
    assert operator(profile, "aten::_local_scalar_dense").calls == 6 * 2


def test_memory_is_the_devices_where_there_is_one(tmp_path: Path) -> None:
    def allocation(at: float, count: int, device: int) -> dict[str, object]:
        arguments = {"Device Type": device, "Device Id": device - 1, "Bytes": count, "Addr": 1}
        return {
            "ph": "i",
            "cat": "cpu_instant_event",
            "name": "[memory]",
            "pid": 1,
            "tid": 1,
            "ts": at,
            "args": arguments,
        }

    run = {"ph": "X", "cat": "cpu_op", "name": "aten::empty", "pid": 1, "tid": 1, "ts": 10, "dur": 50}
    on_host = [run, allocation(20, 1000, 0), allocation(30, -400, 0), allocation(90, 7, 0)]
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(on_host))
    assert operator(profile_of(path), "aten::empty").memory == 600
    path.write_text(json.dumps([*on_host, allocation(40, 4096, 1)]))
    assert operator(profile_of(path), "aten::empty").memory == 4096
