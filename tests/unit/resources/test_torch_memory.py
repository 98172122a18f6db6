"""What PyTorch counts of its devices' memory, and what held it when it ran out."""

from __future__ import annotations

import gc

import pytest
import torch

from ocr_otel import semconv
from ocr_otel.resources.out_of_memory import describe, is_out_of_memory
from ocr_otel.resources.readings import Unavailable
from ocr_otel.resources.torch_memory import TorchMemory

MIB = 2**20
# As `torch.cuda.memory_stats` gives it, without the pools and what is not read.
STATISTICS = {
    "active_bytes.all.current": 1_610_612_736,
    "allocated_bytes.all.current": 1_503_238_553,
    "allocated_bytes.all.peak": 2_147_483_648,
    "inactive_split_bytes.all.current": 214_748_364,
    "num_alloc_retries": 2,
    "num_ooms": 1,
    "reserved_bytes.all.current": 2_684_354_560,
    "reserved_bytes.all.peak": 2_684_354_560,
}


def read(statistics: dict[str, dict[str, int]]) -> dict[str, float]:
    source = TorchMemory(lambda: statistics)
    source.open()
    return {f"{series.metric} {dict(series.attributes)['device']}": value for series, value in source.read()}


def test_an_allocators_counts_are_read_by_device() -> None:
    found = read({"cuda:1": STATISTICS})
    assert found == {
        f"{semconv.TORCH_ALLOCATED} cuda:1": 1_503_238_553,
        f"{semconv.TORCH_RESERVED} cuda:1": 2_684_354_560,
        f"{semconv.TORCH_PEAK} cuda:1": 2_147_483_648,
        f"{semconv.TORCH_ACTIVE} cuda:1": 1_610_612_736,
        f"{semconv.TORCH_INACTIVE_SPLIT} cuda:1": 214_748_364,
        f"{semconv.TORCH_ALLOC_RETRIES} cuda:1": 2,
        f"{semconv.TORCH_OOMS} cuda:1": 1,
        f"{semconv.TORCH_FRAGMENTATION} cuda:1": pytest.approx(0.08),
    }


def test_what_an_allocator_does_not_count_has_no_reading() -> None:
    found = read({"mps": {"allocated_bytes.all.current": 5, "reserved_bytes.all.current": 9}})
    assert found == {f"{semconv.TORCH_ALLOCATED} mps": 5, f"{semconv.TORCH_RESERVED} mps": 9}
    assert read({}) == {}


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator here")
def test_without_a_device_there_is_nothing_to_read_and_none_is_started() -> None:
    with pytest.raises(Unavailable, match="no device"):
        TorchMemory().open()
    assert not torch.cuda.is_initialized()


def test_running_out_of_memory_is_told_from_other_errors() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_what_held_the_memory_is_told_by_who_holds_it_and_by_its_largest_tensors() -> None:
    module = torch.nn.Linear(1024, 1024)
    tied = torch.nn.Linear(1024, 1024)
    tied.weight = module.weight
    module.tied = tied
    optimizer = torch.optim.Adam(module.parameters())
    module(torch.randn(2, 1024)).sum().backward()
    optimizer.step()
    activations = torch.zeros(8, MIB)
    error = torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 39.38 GiB of which 1.10 GiB is "
        "free."
    )
    found = describe(error, module, [optimizer])
    parameters = 4 * (1024 * 1024 + 2 * 1024)
    gradients = 4 * (1024 * 1024 + 1024)
    assert found[semconv.OOM_REQUESTED] == int(2.5 * 2**30)
    assert found[semconv.OOM_PARAMETERS] == parameters
    assert found[semconv.OOM_GRADIENTS] == gradients
    # Adam holds two values and, as a tensor of its own, the step of each parameter that has a gradient.
    assert found[semconv.OOM_OPTIMIZERS] == 2 * gradients + 2 * 4
    assert found[semconv.OOM_LARGEST][0] == f"float32 {list(activations.shape)}, 32.0 MiB"
    assert len(found[semconv.OOM_LARGEST]) == 5
    assert set(found) <= set(semconv.ATTRIBUTES)
    gc.collect()


def test_where_the_hosts_memory_ran_out_the_process_is_told() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    found = describe(caught.value, torch.nn.Linear(2, 2), [])
    assert found[semconv.OOM_DEVICE] == "cpu"
    assert found[semconv.OOM_RESIDENT] > 50 * MIB
    assert semconv.OOM_OTHER not in found
