"""What the device did in traces in which it is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ocr_otel.profiling.kineto.analysis import profile_of
from ocr_otel.profiling.profile import Device, WindowProfile
from tests.support.kineto_traces import (
    KINDS,
    NCCL_BANDWIDTH,
    PAGEABLE_BANDWIDTH,
    PINNED_BANDWIDTH,
    Workload,
    write,
)

EXACT = {"noise": 0.0}


def shown(path: Path, workload: Workload) -> tuple[WindowProfile, Device]:
    profile = profile_of(write(workload, path / "trace.json"))
    assert profile.device is not None
    return profile, profile.device


def of_kind(path: Path, kind: str, **changes: Any) -> tuple[WindowProfile, Device]:
    return shown(path, KINDS[kind](**{**EXACT, **changes}))


def test_busy_and_idle_are_the_window(tmp_path: Path) -> None:
    for kind in KINDS:
        profile, device = of_kind(tmp_path, kind)
        assert device.busy + device.idle == pytest.approx(profile.seconds)
        assert len(profile.batches) == 6
        assert device.name == "NVIDIA A100-SXM4-80GB"
        parts = device.computing + device.exposed_communication + device.exposed_transfer
        assert parts == pytest.approx(device.busy, rel=1e-3)


def test_kernels_are_added_up(tmp_path: Path) -> None:
    profile, device = of_kind(tmp_path, "compute")
    # Twelve layers forward, twice that backward.
    gemms = [each for each in profile.kernels if "gemm" in each.name]
    assert sum(each.calls for each in gemms) == 6 * 12 * 3
    assert sum(each.seconds for each in gemms) == pytest.approx(6 * 12 * 3 * 2e-3)
    assert device.compute_bound == pytest.approx(6 * 12 * 3 * 2e-3)
    assert device.compute_bound + device.memory_bound == pytest.approx(device.kernels * device.kernel_mean)
    assert sum(each.share for each in profile.kernels) <= 1.0001


def test_kernels_that_only_move_memory_are_told_apart(tmp_path: Path) -> None:
    _, device = of_kind(tmp_path, "memory_bandwidth")
    assert device.memory_bound > 5 * device.compute_bound


@pytest.mark.parametrize("pinned", [True, False])
def test_copies_have_their_bytes_and_their_memory(pinned: bool, tmp_path: Path) -> None:
    profile, device = of_kind(tmp_path, "transfer", pinned=pinned)
    (copies,) = [each for each in profile.transfers if each.direction == "HtoD"]
    assert copies.memory == ("pinned" if pinned else "pageable")
    assert copies.calls == 6
    assert copies.bytes == 6 * 240_000_000
    bandwidth = PINNED_BANDWIDTH if pinned else PAGEABLE_BANDWIDTH
    assert copies.seconds == pytest.approx(copies.bytes / bandwidth, rel=0.01)
    assert device.transferring == pytest.approx(copies.seconds)
    assert device.exposed_transfer == pytest.approx(copies.seconds, rel=0.01)
    assert [each.call_site for each in profile.synchronizations] == ([] if pinned else ["aten::to in transfer"] * 2)


@pytest.mark.parametrize("overlap", [True, False])
def test_collectives_hide_behind_computing_or_do_not(overlap: bool, tmp_path: Path) -> None:
    profile, device = of_kind(tmp_path, "communication", overlap=overlap, collective_bytes=80_000_000)
    (collective,) = profile.communication
    assert collective.name == "all_reduce"
    assert collective.bytes == 6 * 80_000_000
    assert collective.seconds == pytest.approx(collective.bytes / NCCL_BANDWIDTH, rel=0.01)
    assert device.communicating == pytest.approx(collective.seconds)
    if overlap:
        assert collective.overlapped > 0.4 * collective.seconds
    else:
        assert collective.overlapped == 0
    assert device.exposed_communication == pytest.approx(collective.seconds - collective.overlapped, rel=0.01)


@pytest.mark.parametrize(("stack", "site"), [(False, "aten::item in forward"), (True, "train.py:38 in log_loss")])
def test_waits_are_told_with_the_code_that_asked_for_them(stack: bool, site: str, tmp_path: Path) -> None:
    profile, _ = of_kind(tmp_path, "synchronization", stack=stack)
    first = profile.synchronizations[0]
    assert site in first.call_site
    assert first.calls == 6 * 30
    assert first.seconds > 0.9 * profile.host.waiting


def test_gaps_say_what_the_host_did(tmp_path: Path) -> None:
    profile, device = of_kind(tmp_path, "data")
    longest = profile.gaps[:6]
    assert {each.host for each in longest} == {"fetch: no operator ran"}
    assert sum(each.seconds for each in longest) == pytest.approx(device.idle, rel=0.05)
    assert [each.seconds for each in profile.gaps] == sorted((each.seconds for each in profile.gaps), reverse=True)
    profile, device = of_kind(tmp_path, "launch")
    assert device.idle > 0.7 * profile.seconds
    assert any("aten::" in each.host for each in profile.gaps)
    assert device.idle_periods > 2000


def test_launches_are_counted(tmp_path: Path) -> None:
    profile, device = of_kind(tmp_path, "optimizer")
    assert profile.host.launches == device.kernels
    assert profile.host.launching == pytest.approx(device.kernels * 5e-6, rel=0.01)
    # Four kernels a tensor and batch.
    assert profile.host.optimizer_calls == 6 * 400 * 4


def test_the_time_line_is_short_and_in_the_window(tmp_path: Path) -> None:
    for kind in KINDS:
        profile, _ = of_kind(tmp_path, kind)
        assert len(profile.slices) <= 400
        lanes = {each.lane for each in profile.slices}
        assert lanes >= {"phases", "operators", "device", "transfers"}
        assert ("communication" in lanes) == (kind == "communication")
        for each in profile.slices:
            assert each.start >= 0
            assert each.start + each.seconds <= profile.seconds + 1e-9


def test_the_busiest_of_several_devices_is_told(tmp_path: Path) -> None:
    path = write(Workload(batches=2), tmp_path / "trace.json")
    text = path.read_text()
    other = (
        '  {"ph": "X", "cat": "kernel", "name": "other", "pid": 1, "tid": 7, "ts": 1500.0, "dur": 1.0, "args": '
        '{"device": 1, "stream": 7, "correlation": 900000}},'
    )
    path.write_text(text.replace('"traceEvents": [', '"traceEvents": [' + other, 1))
    profile = profile_of(path)
    assert "other" not in {each.name for each in profile.kernels}
