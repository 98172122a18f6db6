"""Which devices CUDA shows, for every form of CUDA_VISIBLE_DEVICES."""

from __future__ import annotations

import pytest

from ocr_otel.resources.gpu.devices import Gpu, Instance
from ocr_otel.resources.gpu.visible import visible_devices

UUIDS = ["GPU-aaaa1111", "GPU-aabb2222", "GPU-cccc3333"]
ALIKE = [Gpu(None, uuid, f"gpu{index}", "A100") for index, uuid in enumerate(UUIDS)]
MIXED = [*ALIKE[:2], Gpu(None, UUIDS[2], "gpu2", "T4")]
INSTANCES = tuple(
    Instance(None, f"MIG-{name}", f"gpu0.mig{number}.0", "A100 MIG 1g.5gb", UUIDS[0], (number, 0))
    for number, name in ((7, "d00d"), (9, "d11d"))
)
DIVIDED = Gpu(None, UUIDS[0], "gpu0", "A100", True, INSTANCES)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (None, [0, 1, 2]),
        ("0", [0]),
        ("2,0", [2, 0]),
        (" 1 , 2 ", [1, 2]),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("0,-1,1", [0]),
        ("0,3,1", [0]),
        ("1,x,0", [1]),
        ("1gpu,2", [1, 2]),
        ("0,0", []),
        ("GPU-aaaa1111", [0]),
        ("GPU-cccc,GPU-aaaa", [2, 0]),
        ("GPU-aa", []),
        ("GPU-cccc3333,GPU-aa,GPU-aaaa1111", [2]),
        ("GPU-ffff,GPU-aaaa1111", []),
        ("GPU-aaaa1111,1", [0]),
        ("GPU-aaaa1111,GPU-aaaa", []),
        ("0,GPU-cccc3333", [0]),
        ("MIG-d00d", []),
    ],
)
def test_gpus_of_one_model(setting: str | None, expected: list[int]) -> None:
    found = visible_devices(setting, None, ALIKE)
    assert found == [ALIKE[index] for index in expected]


@pytest.mark.parametrize(
    ("setting", "order", "expected"),
    [
        ("1", None, None),
        ("1", "FASTEST_FIRST", None),
        (None, None, None),
        ("2", "PCI_BUS_ID", [2]),
        (None, "PCI_BUS_ID", [0, 1, 2]),
        ("GPU-cccc", None, [2]),
        ("", None, []),
    ],
)
def test_of_several_models_a_number_tells_a_device_only_in_the_order_of_the_bus(
    setting: str | None, order: str | None, expected: list[int] | None
) -> None:
    found = visible_devices(setting, order, MIXED)
    assert found == (None if expected is None else [MIXED[index] for index in expected])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("MIG-d11d", [INSTANCES[1]]),
        ("MIG-d", []),
        ("MIG-GPU-aaaa1111/9/0", [INSTANCES[1]]),
        ("MIG-GPU-aaaa1111/8/0", []),
        ("MIG-d11d,MIG-d00d", [INSTANCES[1], INSTANCES[0]]),
        ("0", [INSTANCES[0]]),
        ("GPU-aaaa", [INSTANCES[0]]),
        ("1,0", [ALIKE[1], INSTANCES[0]]),
        (None, [ALIKE[1], ALIKE[2]]),
    ],
)
def test_a_divided_gpu_is_shown_as_an_instance(setting: str | None, expected: list[Gpu | Instance]) -> None:
    assert visible_devices(setting, None, [DIVIDED, *ALIKE[1:]]) == expected


def test_where_all_gpus_are_divided_the_first_instance_is_shown() -> None:
    assert visible_devices(None, None, [DIVIDED]) == [INSTANCES[0]]
