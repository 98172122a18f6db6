"""What NVML says of some machines: values as recorded from such cards, by the keys that the fake library reads."""

from __future__ import annotations

from typing import Final

State = dict[str, str | int]

MIB: Final = 1 << 20
GPU_UUID: Final = "GPU-{}b2c3d4e-5f60-4718-829a-0123456789ab"
MIG_UUID: Final = "MIG-{}a8f4c2e-1d2b-5c3d-9e4f-abcdef012345"
UNSIGNED_INT, UNSIGNED_LONG_LONG = 1, 3
"""Types of a field's value."""
MEMORY_TEMPERATURE, PCIE_TX, PCIE_RX = "field.82.0", "field.197.0", "field.198.0"
NVLINK_TX, NVLINK_RX = "field.138.4294967295", "field.139.4294967295"
DRIVER_ERRORS: Final = {"library not found": 12, "driver not loaded": 9, "version mismatch": 18, "no permission": 4}


def gpu(index: int, **values: str | int) -> State:
    """Return the lines of one GPU; two underscores in a name stand for a dot."""
    return {f"{index}.{name.replace('__', '.')}": value for name, value in values.items()}


def field(kind: int, value: int) -> str:
    """Return the value of a field."""
    return f"{kind}:{value}"


def a100(index: int) -> State:
    """Return an A100 SXM4 with 80 GB at work, as NVML tells of it."""
    return gpu(
        index,
        uuid=GPU_UUID.format(index),
        name="NVIDIA A100-SXM4-80GB",
        mig_mode=0,
        util_gpu=93,
        util_memory=41,
        util_encoder=0,
        util_decoder=0,
        memory_total=81920 * MIB,
        memory_reserved=646 * MIB,
        memory_free=20000 * MIB,
        power_mw=312450,
        power_limit_mw=400000,
        energy_mj=123456789012,
        temperature=61,
        clock_graphics=1410,
        clock_sm=1410,
        clock_memory=1593,
        throttle_reasons=0x4,
        ecc_corrected=2,
        ecc_uncorrected=0,
        xids="",
        processes="",
    ) | {
        f"{index}.{MEMORY_TEMPERATURE}": field(UNSIGNED_INT, 58),
        f"{index}.{PCIE_TX}": field(UNSIGNED_INT, 4_000_000_000),
        f"{index}.{PCIE_RX}": field(UNSIGNED_INT, 1_000_000),
        f"{index}.{NVLINK_TX}": field(UNSIGNED_LONG_LONG, 987_654_321),
        f"{index}.{NVLINK_RX}": field(UNSIGNED_LONG_LONG, 987_000_000),
    }


def machine(*gpus: State, **values: str | int) -> State:
    """Return a machine with some GPUs."""
    state: State = {"driver": "535.104.05", "gpus": len(gpus), **values}
    for each in gpus:
        state |= each
    return state


def two_a100() -> State:
    """Return two A100."""
    return machine(a100(0), a100(1))


def divided_a100(index: int = 0) -> State:
    """Return an A100 in MIG mode with two instances: utilisation is not told of it, memory only of the instances."""
    state = a100(index) | gpu(index, mig_mode=1, mig_places=7)
    for name in ("util_gpu", "util_memory", "util_encoder", "util_decoder", "processes"):
        del state[f"{index}.{name}"]
    for place, gi in ((0, 7), (2, 9)):
        of_instance: State = {
            "uuid": MIG_UUID.format(place),
            "name": "NVIDIA A100-SXM4-80GB MIG 1g.10gb",
            "gi": gi,
            "ci": 0,
            "memory_total": 9728 * MIB,
            "memory_reserved": 0,
            "memory_free": (9728 - 1024 * (place + 1)) * MIB,
            "processes": "",
        }
        state |= {f"{index}.mig.{place}.{name}": value for name, value in of_instance.items()}
    return state


def k80(index: int = 0) -> State:
    """Return an old card, which tells neither power, ECC, throttling nor encoder, and has no field values."""
    return gpu(
        index,
        uuid=GPU_UUID.format(index),
        name="Tesla K80",
        util_gpu=12,
        util_memory=3,
        memory_total=11441 * MIB,
        memory_free=10000 * MIB,
        temperature=44,
        clock_sm=562,
        clock_memory=2505,
    )
