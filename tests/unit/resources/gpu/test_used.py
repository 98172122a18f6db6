"""Which devices a process uses: those on which its PyTorch holds memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ocr_otel.resources.gpu.source import LOOKS_EVERY
from ocr_otel.resources.gpu.used import InUse, devices_in_use, resolve
from tests.support.nvml import states
from tests.support.nvml.states import GPU_UUID, MIG_UUID, a100
from tests.unit.resources.gpu.conftest import MakeMachine
from tests.unit.resources.gpu.reading import opened
from tests.unit.resources.gpu.test_visible import ALIKE, DIVIDED, INSTANCES, MIXED

pytestmark = pytest.mark.timeout(60)


class Cuda:
    """PyTorch's CUDA, with devices that are not there."""

    def __init__(self, patch: pytest.MonkeyPatch, uuids: list[str]) -> None:
        self.initialized = True
        self.reserved: dict[int, int] = {}
        self.asked = 0
        patch.setattr(torch.cuda, "is_initialized", lambda: self.initialized)
        patch.setattr(torch.cuda, "device_count", lambda: len(uuids))
        patch.setattr(torch.cuda, "memory_reserved", self._memory_reserved)
        patch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=uuids[index]))

    def _memory_reserved(self, ordinal: int) -> int:
        self.asked += 1
        return self.reserved.get(ordinal, 0)


def names(found: dict[tuple[str, str, str], Any]) -> set[str]:
    return {name for _, name, _ in found}


def test_a_training_on_the_cpu_uses_no_gpu(machine: MakeMachine) -> None:
    machine(states.two_a100())
    with opened("used") as reader:
        assert not torch.cuda.is_initialized()
        assert reader.read() == {}


def test_a_device_is_read_from_when_pytorch_holds_memory_on_it(
    machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(states.machine(*(a100(index) for index in range(3))))
    # CUDA counts differently here: its 0 is NVML's 2.
    cuda = Cuda(monkeypatch, [GPU_UUID.format(index)[len("GPU-") :] for index in (2, 1)])
    cuda.initialized = False
    with opened("used") as reader:
        assert reader.read() == {}
        cuda.initialized = True
        assert reader.read() == {}
        cuda.reserved = {0: 2 << 20}
        assert names(reader.read()) == {"gpu2"}
        cuda.reserved = {0: 2 << 20, 1: 1}
        assert names(reader.read()) == {"gpu2"}
        asked = cuda.asked
        for _ in range(LOOKS_EVERY):
            found = reader.read()
        assert names(found) == {"gpu2", "gpu1"}
        assert cuda.asked == asked + 2, "asked more often than needed"


def test_the_gpu_of_an_instance_is_read_too_but_no_other_instance(
    machine: MakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(states.machine(states.divided_a100(), a100(1)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", MIG_UUID.format(2))
    Cuda(monkeypatch, [GPU_UUID.format(0)[len("GPU-") :]]).reserved = {0: 1}
    with opened("used") as reader:
        assert names(reader.read()) == {"gpu0", "gpu0.mig9.0"}


def test_an_allocator_that_does_not_tell_leaves_the_device_of_the_local_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    Cuda(monkeypatch, ["a", "b"])

    def fails(ordinal: int) -> int:
        raise RuntimeError("not supported")

    monkeypatch.setattr(torch.cuda, "memory_reserved", fails)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert devices_in_use() == [InUse(1, "b")]
    monkeypatch.setenv("LOCAL_RANK", "7")
    assert devices_in_use() == []
    monkeypatch.delenv("LOCAL_RANK")
    assert devices_in_use() == [InUse(0, "a")]


@pytest.mark.parametrize(
    ("used", "gpus", "setting", "expected"),
    [
        ([InUse(0, "cccc3333")], MIXED, "2", [MIXED[2]]),
        ([InUse(0, "ffff")], ALIKE, None, []),
        ([InUse(1)], ALIKE, "2,0", [ALIKE[0]]),
        ([InUse(5)], ALIKE, None, []),
        ([InUse(0)], MIXED, "2", []),
        ([InUse(0, "d11d")], [DIVIDED], None, [INSTANCES[1]]),
        ([InUse(0, "aaaa1111")], [DIVIDED], "MIG-d11d", [INSTANCES[1]]),
        ([InUse(0, "aaaa1111"), InUse(1, "aaaa1111")], ALIKE, None, [ALIKE[0]]),
    ],
)
def test_pytorchs_device_is_found(used: list[InUse], gpus: list[Any], setting: str | None, expected: list[Any]) -> None:
    environment = {} if setting is None else {"CUDA_VISIBLE_DEVICES": setting}
    assert resolve(used, gpus, environment) == expected
