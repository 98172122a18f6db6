"""The doctor's lines about what is read beside devices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ocr_otel.cli.checks.finding import Finding, Status
from ocr_otel.cli.checks.resources import check_resources
from tests.unit.resources.host.conftest import Machine


def lines(directory: str, proc: str, system: str = "/sys") -> dict[str, Finding]:
    return {finding.check: finding for finding in check_resources(Path(directory), proc, system)}


def test_this_machine_has_a_line_for_each() -> None:
    found = check_resources()
    assert [finding.check for finding in found] == ["processes", "disks", "pressure", "cgroup"]
    assert all("\n" not in finding.finding for finding in found)


def test_limits_are_named(machine: Callable[[str], Machine]) -> None:
    recorded = machine("v2_nested")
    found = lines("/work", recorded.proc)
    assert found["cgroup"].finding == "limited to 3.5 CPUs and 8.0 GiB of memory"
    assert found["pressure"].finding == "of cpu, io, memory, of the cgroup"


@pytest.mark.parametrize("name", ["none", "masked"])
def test_what_is_missing_is_a_note_with_the_sources_reason(machine: Callable[[str], Machine], name: str) -> None:
    found = lines("/work", machine(name).proc)
    assert found["pressure"].status is Status.NOTE
    assert found["pressure"].advice
    assert found["cgroup"].status is Status.NOTE
    assert "in no cgroup" in found["cgroup"].finding
    assert found["processes"].status is Status.WARN


@pytest.mark.parametrize(
    ("directory", "words"),
    [
        ("/mnt/my nfs/run", "nfs4, a network"),
        ("/mnt/s3/run", "FUSE"),
        ("/work", "container's"),
        ("/dev/shm/x", "memory"),
    ],
)
def test_a_place_without_a_disk_says_why(machine: Callable[[str], Machine], directory: str, words: str) -> None:
    finding = lines(directory, machine("v2_namespace").proc)["disks"]
    assert finding.status is Status.NOTE
    assert words in finding.finding
