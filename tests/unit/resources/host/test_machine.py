"""The host's own counters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ocr_otel import semconv
from ocr_otel.resources.host.machine import MachineSource
from ocr_otel.resources.readings import Unavailable, series
from tests.unit.resources.host.conftest import Machine


def test_cpu_time_by_mode_and_pages_swapped(tmp_path: Path) -> None:
    source = MachineSource(str(tmp_path))
    (tmp_path / "stat").write_text("cpu  100 10 50 1000 20 3 4 5 6 7\ncpu0 9 9 9 9 9 9 9 9 9 9\n")
    (tmp_path / "vmstat").write_text("nr_free_pages 5\npswpin 7\npswpout 9\n")
    source.open()
    (tmp_path / "stat").write_text("cpu  200 10 50 1000 120 13 24 5 6 7\ncpu0 9 9 9 9 9 9 9 9 9 9\n")
    (tmp_path / "vmstat").write_text("nr_free_pages 5\npswpin 8\npswpout 19\n")
    found = dict(source.read())
    modes = ("user", "nice", "system", "idle", "iowait", "interrupt", "steal")
    assert [found[series(semconv.SYSTEM_CPU_TIME, cpu_mode=mode)] for mode in modes] == pytest.approx(
        [1.0, 0, 0, 0, 1.0, 0.3, 0]
    )
    assert found[series(semconv.SYSTEM_PAGING_OPERATIONS, system_paging_direction="in")] == 1
    assert found[series(semconv.SYSTEM_PAGING_OPERATIONS, system_paging_direction="out")] == 10


def test_a_masked_host_has_no_readings_and_a_hidden_one_a_reason(machine: Callable[[str], Machine]) -> None:
    source = MachineSource(machine("masked").proc)
    source.open()
    assert list(source.read()) == []
    with pytest.raises(Unavailable, match="stat cannot be read"):
        MachineSource(machine("none").proc).open()
