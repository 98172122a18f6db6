"""Pressure is that of the own cgroup where it has any, else the host's, else it is not there, with a reason."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from ocr_otel.resources.host import pressure
from ocr_otel.resources.host.pressure import PressureSource, parse_pressure
from ocr_otel.resources.readings import Unavailable
from tests.unit.resources.host.conftest import Machine


def values(source: PressureSource) -> dict[tuple[str | int, str | int], float]:
    return {(dict(each.attributes)["resource"], dict(each.attributes)["kind"]): value for each, value in source.read()}


def test_totals_are_seconds() -> None:
    text = b"some avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\nfull avg10=0 avg60=0 avg300=0 total=250000\n"
    assert parse_pressure(text) == {"some": 1.5, "full": 0.25}
    assert parse_pressure(b"") == {}


def test_the_cgroups_own_is_preferred(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_nested")
    source = PressureSource(recorded.proc)
    source.open()
    own = f"{recorded.groups}/kubepods.slice/pod7/train"
    assert source.files == {name: f"{own}/{name}.pressure" for name in ("cpu", "io", "memory")}
    Path(own, "io.pressure").write_text("some avg10=1 avg60=1 avg300=1 total=6000000\nfull avg10=1 total=2500000\n")
    found = values(source)
    assert found["io", "some"] == pytest.approx(1.0)
    assert found["io", "full"] == pytest.approx(0.5)
    assert ("cpu", "full") in found


def test_the_hosts_is_read_outside_of_a_cgroup_and_has_no_full_of_cpus(machine: Callable[[str], Machine]) -> None:
    recorded = machine("hybrid")
    source = PressureSource(recorded.proc)
    source.open()
    assert source.files["cpu"] == f"{recorded.proc}/pressure/cpu"
    assert values(source).keys() == {
        ("cpu", "some"), ("io", "some"), ("io", "full"), ("memory", "some"), ("memory", "full"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "reason"),
    [("none", "no pressure stall information"), ("masked", "say nothing")],
)
def test_what_is_not_there_has_a_reason(machine: Callable[[str], Machine], name: str, reason: str) -> None:
    with pytest.raises(Unavailable, match=reason):
        PressureSource(machine(name).proc).open()


@pytest.mark.parametrize(
    ("number", "reason"), [(errno.EOPNOTSUPP, "switched off"), (errno.EACCES, "may not be read"), (errno.ENOENT, "no ")]
)
def test_a_refusing_kernel_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, number: int, reason: str) -> None:
    def refuse(path: str) -> bytes:
        raise OSError(number, "refused", path)

    monkeypatch.setattr(pressure, "read", refuse)
    with pytest.raises(Unavailable, match=reason) as raised:
        PressureSource().open()
    assert "\n" not in str(raised.value)


def test_one_that_goes_away_is_absent_and_the_others_stay(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_nested")
    source = PressureSource(recorded.proc)
    source.open()
    Path(source.files["io"]).unlink()
    assert {resource for resource, _ in values(source)} == {"cpu", "memory"}
