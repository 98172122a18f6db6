"""Whose memory it is on a device."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pynvml
import pytest

from ocr_otel import semconv
from ocr_otel.resources.gpu.devices import find_gpus
from ocr_otel.resources.gpu.labels import Labels
from ocr_otel.resources.gpu.processes import ProcessMemory, Roles
from tests.support.nvml import states
from tests.support.nvml.states import a100, gpu
from tests.unit.resources.gpu.conftest import MakeMachine

pytestmark = pytest.mark.timeout(60)


@contextmanager
def child(**environment: str) -> Iterator[int]:
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        # Until it has said something it may still have its parent's environment.
        process.stdout.readline()
        yield process.pid
        process.kill()


def memory(processes: str, all_seen: bool, machine: MakeMachine) -> dict[object, float]:
    machine(states.machine(a100(0) | gpu(0, processes=processes)))
    pynvml.nvmlInit()
    try:
        (found,) = find_gpus(pynvml)
        readings = ProcessMemory(pynvml, found.handle, Labels(found), all_seen).read()
    finally:
        pynvml.nvmlShutdown()
    return {dict(series.attributes)[semconv.PROCESS_ROLE]: value for series, value in readings}


def test_memory_is_told_by_whose_process_it_is(machine: MakeMachine) -> None:
    with child() as worker, child(LOCAL_RANK="3") as other_rank:
        processes = f"{os.getpid()}:1000,{worker}:200,{other_rank}:30,1:4,1:5"
        assert memory(processes, True, machine) == {"main": 1000, "worker": 200, "other": 39}


def test_who_uses_no_memory_has_none(machine: MakeMachine) -> None:
    assert memory("", True, machine) == {"main": 0, "worker": 0, "other": 0}


def test_in_a_container_that_hides_its_own_process_nothing_is_told(machine: MakeMachine) -> None:
    assert memory("1:4", False, machine) == {}
    assert memory("", False, machine) == {}
    assert memory(f"1:4,{os.getpid()}:6", False, machine) == {"main": 6, "worker": 0, "other": 4}


def test_memory_that_the_driver_does_not_know_is_not_told_as_zero(machine: MakeMachine) -> None:
    assert memory(f"{os.getpid()}:6,1:na,1:4", True, machine) == {"main": 6, "worker": 0}


def test_a_role_is_forgotten_with_its_process() -> None:
    roles = Roles()
    with child() as pid:
        assert roles.of({pid}) == {pid: "worker"}
        assert roles.of(set()) == {}
    assert roles.of({pid}) == {pid: "other"}
