"""Limits are found in both versions of cgroups, nested or not, in a namespace or not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.resources.host import cgroups, limits
from ocr_otel.resources.host.cgroup import NONE, CgroupSource
from ocr_otel.resources.readings import Unavailable
from tests.unit.resources.host.conftest import Machine

GIB = 1 << 30


def values(source: CgroupSource) -> dict[str, float]:
    found = {}
    for each, value in source.read():
        kind = dict(each.attributes).get("kind")
        found[f"{each.metric} {kind}" if kind else each.metric] = value
    return found


@pytest.mark.parametrize(
    ("name", "version", "levels"),
    [
        ("v2_nested", 2, ["/kubepods.slice/pod7/train", "/kubepods.slice/pod7", "/kubepods.slice"]),
        ("v2_namespace", 2, [""]),
        ("v1", 1, ["/memory"]),
        ("hybrid", 1, ["/memory/batch/job7", "/memory/batch"]),
    ],
)
def test_the_levels_of_memory_end_below_the_whole_host(
    machine: Callable[[str], Machine], name: str, version: int, levels: list[str]
) -> None:
    recorded = machine(name)
    found = cgroups.find("memory", recorded.proc)
    assert found == cgroups.Hierarchy(version, tuple(recorded.groups + level for level in levels))


@pytest.mark.parametrize("name", ["none", "masked"])
def test_without_cgroups_there_is_a_reason_and_no_zero(machine: Callable[[str], Machine], name: str) -> None:
    recorded = machine(name)
    assert cgroups.find("memory", recorded.proc) is None
    with pytest.raises(Unavailable, match=NONE):
        CgroupSource(recorded.proc).open()


def test_the_least_limit_of_the_ancestors_binds(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_nested")
    source = CgroupSource(recorded.proc)
    source.open()
    pod = f"{recorded.groups}/kubepods.slice/pod7"
    assert source.quota == cgroups.Limit(3.5, pod)
    assert source.limit == cgroups.Limit(8 * GIB, pod)
    found = values(source)
    assert found[semconv.CGROUP_CPU_LIMIT] == 3.5
    assert found[semconv.CGROUP_MEMORY_LIMIT] == 8 * GIB
    assert found[semconv.CGROUP_MEMORY_HIGH] == 7 * GIB
    assert found[semconv.CGROUP_MEMORY_USAGE] == 6 * GIB
    assert found[semconv.CGROUP_MEMORY_WORKING_SET] == 4 * GIB
    assert found[semconv.CGROUP_MEMORY_UTILIZATION] == 0.5
    assert found[semconv.CGROUP_SWAP_USAGE] == 100 << 20
    assert found[semconv.CGROUP_SWAP_LIMIT] == GIB


def test_throttling_and_kills_count_from_the_opening(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_nested")
    source = CgroupSource(recorded.proc)
    source.open()
    pod = Path(recorded.groups) / "kubepods.slice" / "pod7"
    text = (pod / "cpu.stat").read_text()
    (pod / "cpu.stat").write_text(
        text.replace("nr_throttled 1000", "nr_throttled 1007")
        .replace("nr_periods 4000", "nr_periods 4010")
        .replace("throttled_usec 90000000", "throttled_usec 90250000")
    )
    (pod / "memory.events").write_text("low 0\nhigh 12\nmax 4\noom 2\noom_kill 3\n")
    found = values(source)
    assert found[semconv.CGROUP_CPU_PERIODS] == 10
    assert found[semconv.CGROUP_CPU_THROTTLED_PERIODS] == 7
    assert found[semconv.CGROUP_CPU_THROTTLED_TIME] == pytest.approx(0.25)
    assert found[f"{semconv.CGROUP_MEMORY_EVENTS} high"] == 0
    assert found[f"{semconv.CGROUP_MEMORY_EVENTS} max"] == 1
    assert found[f"{semconv.CGROUP_MEMORY_EVENTS} oom_kill"] == 2


def test_version_1_counts_in_its_own_files_and_units(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v1")
    source = CgroupSource(recorded.proc)
    source.open()
    controller = Path(recorded.groups) / "cpu,cpuacct"
    (controller / "cpu.stat").write_text("nr_periods 51\nnr_throttled 6\nthrottled_time 750000000\n")
    (controller / "cpuacct.usage").write_text("4500000000\n")
    found = values(source)
    assert found[semconv.CGROUP_CPU_LIMIT] == 1.5
    assert found[semconv.CGROUP_CPU_TIME] == pytest.approx(1.5)
    assert found[semconv.CGROUP_CPU_THROTTLED_TIME] == pytest.approx(0.5)
    assert found[semconv.CGROUP_MEMORY_LIMIT] == 2 * GIB
    assert found[semconv.CGROUP_MEMORY_UTILIZATION] == 0.5
    assert found[semconv.CGROUP_SWAP_USAGE] == 1_620_612_736 - 1_610_612_736


def test_no_limit_of_version_1_is_none(machine: Callable[[str], Machine]) -> None:
    source = CgroupSource(machine("hybrid").proc)
    source.open()
    found = values(source)
    assert found[semconv.CGROUP_MEMORY_USAGE] > 0
    assert semconv.CGROUP_MEMORY_LIMIT not in found
    assert semconv.CGROUP_MEMORY_UTILIZATION not in found
    # Its controller for CPUs holds it in the root, which is the whole host.
    assert semconv.CGROUP_CPU_TIME not in found


def test_a_process_moved_out_of_its_namespace_is_looked_for_at_the_mount(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_namespace")
    (Path(recorded.proc) / "self" / "cgroup").write_text("0::/../other\n")
    assert cgroups.find("memory", recorded.proc) == cgroups.Hierarchy(2, (recorded.groups,))


def test_what_may_be_used_is_the_least_of_host_affinity_and_quota(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_nested")
    (Path(recorded.proc) / "meminfo").write_text("MemTotal:       33554432 kB\nMemFree: 1 kB\n")
    assert limits.memory(recorded.proc) == 8 * GIB
    pod = Path(recorded.groups) / "kubepods.slice" / "pod7"
    (pod / "memory.max").write_text("max\n")
    assert limits.memory(recorded.proc) == 32 * GIB
    (pod / "cpu.max").write_text("50000 100000\n")
    assert limits.cpus(recorded.proc) == 0.5
    (pod / "cpu.max").write_text("99900000 100000\n")
    assert limits.cpus(recorded.proc) == limits.cpus(str(recorded.root / "nothing"))


def test_this_machine_is_read_without_an_error() -> None:
    source = CgroupSource()
    if cgroups.find("memory") is None and cgroups.find("cpu") is None:
        with pytest.raises(Unavailable, match=NONE):
            source.open()
    else:
        source.open()
        assert values(source)
